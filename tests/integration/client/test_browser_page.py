"""The page's part in TypeScript against the command's listener in Python: each reads what the other has written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from strongroom_client.authenticators.browser_handover import (
    Handover,
    ask_to_create,
    ask_to_sign,
    decode,
    encode,
    open_answer,
)
from strongroom_client.authenticators.port import Assertion, Attestation, CredentialExcluded

ROOT = Path(__file__).resolve().parents[3]
CHALLENGE, PRF_INPUT = b"\xfb\xff" * 16, b"p" * 32
CREATING = ask_to_create(
    rp_id="vault.example",
    challenge=CHALLENGE,
    user_handle=b"u" * 32,
    user_name="ünïcödé \N{SNOWMAN}",
    algorithms=(-8, -7, -257),
    exclude=(b"e" * 16,),
    prf_input=PRF_INPUT,
)
SIGNING = ask_to_sign(rp_id="vault.example", challenge=CHALLENGE, allow=(b"a" * 16, b"b" * 64), prf_input=PRF_INPUT)
CLIENT_DATA = json.dumps({"challenge": encode(CHALLENGE)}).encode()
CREATED = {"clientDataJSON": CLIENT_DATA.hex(), "attestationObject": b"attested".hex()}
SIGNED = {
    "clientDataJSON": CLIENT_DATA.hex(),
    "authenticatorData": b"data".hex(),
    "signature": b"signature".hex(),
    "userHandle": None,
}


def page(handover: Handover, made: dict[str, object]) -> dict[str, Any]:
    """Run the page on a link."""
    given = json.dumps({"fragment": "#" + handover.fragment(port=40_000), "made": made})
    node = Path(sys.executable).with_name("node")
    ended = subprocess.run(
        [node, ROOT / "clients/web/tests/handover_page.ts"],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    shown: dict[str, Any] = json.loads(ended.stdout)
    return shown


def test_page_creates_a_passkey_for_the_command() -> None:
    shown = page(CREATING, {"rawId": b"i".hex() * 32, "prf": PRF_INPUT.hex(), "response": CREATED})
    assert shown["check"] == CREATING.check
    assert shown["address"] == "http://127.0.0.1:40000/strongroom/v1/answer"
    options = shown["asked"]["publicKey"]
    assert options["challenge"] == CHALLENGE.hex()
    assert options["user"]["name"] == "ünïcödé \N{SNOWMAN}"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert options["excludeCredentials"] == [{"type": "public-key", "id": (b"e" * 16).hex()}]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["extensions"] == {"prf": {"eval": {"first": PRF_INPUT.hex()}}}
    assert open_answer(decode(shown["sealed"]), handover=CREATING) == Attestation(
        credential_id=b"i" * 32,
        client_data_json=CLIENT_DATA,
        attestation_object=b"attested",
        transports=("internal",),
        prf_output=PRF_INPUT,
    )


def test_page_signs_for_the_command() -> None:
    shown = page(SIGNING, {"rawId": b"b".hex() * 64, "prf": None, "response": SIGNED})
    assert [one["id"] for one in shown["asked"]["publicKey"]["allowCredentials"]] == [
        (b"a" * 16).hex(),
        (b"b" * 64).hex(),
    ]
    assert open_answer(decode(shown["sealed"]), handover=SIGNING) == Assertion(
        credential_id=b"b" * 64,
        authenticator_data=b"data",
        client_data_json=CLIENT_DATA,
        signature=b"signature",
        user_handle=None,
        prf_output=None,
    )


def test_refusal_of_the_browser_reaches_the_command() -> None:
    shown = page(CREATING, {"refused": "InvalidStateError"})
    with pytest.raises(CredentialExcluded):
        open_answer(decode(shown["sealed"]), handover=CREATING)
