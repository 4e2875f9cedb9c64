"""Good creations of a passkey, and such that are spoilt in one place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fido2 import cbor

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import AssertionPolicy, Credential, WebAuthnAttestation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.keeper.webauthn.attestation import check_attestation
from tests.fakes.passkey import POLICY, Forgery, SoftwarePasskey

CHALLENGE = bytes(range(32))
NOW = Millis(1_700_000_000_000)
SELF = Forgery(attestation_format="packed")


def check(attestation: WebAuthnAttestation, policy: AssertionPolicy = POLICY) -> Credential:
    return check_attestation(
        attestation=attestation, challenge=CHALLENGE, policy=policy, user_handle=b"user handle", now=NOW
    )


def refusal_of(attestation: WebAuthnAttestation, policy: AssertionPolicy = POLICY) -> str:
    with pytest.raises(Refusal) as refused:
        check(attestation, policy)
    assert refused.value.reason is Reason.NOT_VERIFIED
    return refused.value.detail


def forge(forgery: Forgery) -> WebAuthnAttestation:
    return SoftwarePasskey().make_attestation(CHALLENGE, forgery)


def rebuild(attestation: WebAuthnAttestation, **members: object) -> WebAuthnAttestation:
    """Change members of the attestation object; a value of None drops the member."""
    decoded = cbor.decode(attestation.attestation_object)
    assert isinstance(decoded, dict)
    changed = {name: value for name, value in {**decoded, **members}.items() if value is not None}
    return replace(attestation, attestation_object=cbor.encode(changed))
