"""Verdicts of another hand's WebAuthn verifier; runs in the environment that has it, not in the project's.

Standard input: a JSON list of {"credential", "challenge", "rp_id", "origin"} and, for assertions, {"public_key",
"sign_count"}; binary in base64url. Standard output: a JSON list of {"accepted", "sign_count", "public_key", "error"}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from webauthn import (  # type: ignore[import-not-found]  # installed in the other environment only
    base64url_to_bytes,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url  # type: ignore[import-not-found]  # as above


def judge(case: dict[str, Any]) -> dict[str, object]:
    """Return the verdict on one response; whatever the library raises is a refusal."""
    common = {
        "credential": case["credential"],
        "expected_challenge": base64url_to_bytes(case["challenge"]),
        "expected_rp_id": case["rp_id"],
        "expected_origin": case["origin"],
        "require_user_verification": True,
    }
    try:
        if "public_key" in case:
            signed = verify_authentication_response(
                **common,
                credential_public_key=base64url_to_bytes(case["public_key"]),
                credential_current_sign_count=case["sign_count"],
            )
            return {"accepted": True, "sign_count": signed.new_sign_count, "public_key": case["public_key"]}
        created = verify_registration_response(**common)
        public_key = bytes_to_base64url(created.credential_public_key)
    except Exception as error:  # noqa: BLE001  it raises many kinds over hostile input, and each means no
        return {"accepted": False, "error": f"{type(error).__name__}: {error}"}
    return {"accepted": True, "sign_count": created.sign_count, "public_key": public_key}


if __name__ == "__main__":
    json.dump([judge(case) for case in json.load(sys.stdin)], sys.stdout)
