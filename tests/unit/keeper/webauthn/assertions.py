"""Good assertions, and such that are spoilt in one place."""

from __future__ import annotations

import base64
import json

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    PolicyViolated,
    Verified,
    WebAuthnAssertion,
    WrongSignature,
)
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from tests.fakes.passkey import ORIGIN, POLICY, Forgery, SoftwarePasskey

CHALLENGE = bytes(range(32))
OTHER_CHALLENGE = bytes(32)
NOW = Millis(1_700_000_000_000)
HMAC_SECRET_OUTPUT = bytes.fromhex("a16b686d61632d736563726574") + b"\x58\x30" + bytes(48)


def register(passkey: SoftwarePasskey) -> Credential:
    return check_attestation(
        attestation=passkey.make_attestation(OTHER_CHALLENGE),
        challenge=OTHER_CHALLENGE,
        policy=POLICY,
        user_handle=passkey.user_handle,
        now=NOW,
    )


def check(
    assertion: WebAuthnAssertion, credential: Credential, policy: AssertionPolicy = POLICY
) -> Verified | WrongSignature | PolicyViolated:
    return check_assertion(assertion=assertion, credential=credential, challenge=CHALLENGE, policy=policy)


def spoil(forgery: Forgery) -> Verified | WrongSignature | PolicyViolated:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    return check(passkey.make_assertion(CHALLENGE, forgery), credential)


def client_data(**members: object) -> bytes:
    challenge = base64.urlsafe_b64encode(CHALLENGE).rstrip(b"=").decode()
    return json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": ORIGIN, **members}).encode()
