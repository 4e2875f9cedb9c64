"""The standard's own vectors: signatures by another hand, and what a vault that demands user verification says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    PolicyViolated,
    PolicyViolation,
    WebAuthnAssertion,
    WebAuthnAttestation,
    WrongSignature,
)
from strongroom_service.domain.errors import Refusal
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation

DOCUMENT = json.loads((Path(__file__).parents[3] / "vectors" / "webauthn_l3.json").read_text())
POLICY = AssertionPolicy(rp_id=DOCUMENT["rp_id"], origins=frozenset({DOCUMENT["origin"]}), algorithms=(-7, -8, -257))
each_vector = pytest.mark.parametrize("vector", DOCUMENT["vectors"], ids=lambda vector: vector["section"])


def credential_of(vector: dict[str, Any]) -> Credential:
    return Credential(
        credential_id=bytes.fromhex(vector["credential_id"]),
        cose_key=bytes.fromhex(vector["cose_key"]),
        algorithm=vector["algorithm"],
        user_handle=b"handle",
        sign_count=0,
        backup_eligible=vector["backup_eligible"],
        backup_state=False,
        aaguid=bytes(16),
        transports=(),
        created_at=Millis(0),
        last_used_at=None,
        quarantined=False,
    )


@each_vector
def test_creation(vector: dict[str, Any]) -> None:
    create = vector["create"]
    attestation = WebAuthnAttestation(
        credential_id=bytes.fromhex(vector["credential_id"]),
        client_data_json=bytes.fromhex(create["clientDataJSON"]),
        attestation_object=bytes.fromhex(create["attestationObject"]),
        transports=(),
    )
    outcome = register_or_refuse(attestation, challenge=bytes.fromhex(create["challenge"]))
    if isinstance(outcome, Credential):
        assert create["refused_for"] is None
        stored = credential_of(vector)
        assert outcome == replace(stored, backup_state=outcome.backup_state, aaguid=outcome.aaguid)
    else:
        assert outcome == create["refused_for"]


def register_or_refuse(attestation: WebAuthnAttestation, *, challenge: bytes) -> Credential | str:
    try:
        return check_attestation(
            attestation=attestation, challenge=challenge, policy=POLICY, user_handle=b"handle", now=Millis(0)
        )
    except Refusal as refusal:
        return refusal.detail


@each_vector
def test_request(vector: dict[str, Any]) -> None:
    get = vector["get"]
    assertion = WebAuthnAssertion(
        credential_id=bytes.fromhex(vector["credential_id"]),
        authenticator_data=bytes.fromhex(get["authenticatorData"]),
        client_data_json=bytes.fromhex(get["clientDataJSON"]),
        signature=bytes.fromhex(get["signature"]),
        user_handle=None,
    )
    spoilt = replace(assertion, signature=assertion.signature[:-1] + bytes([assertion.signature[-1] ^ 1]))
    outcomes = [
        check_assertion(
            assertion=each,
            credential=credential_of(vector),
            challenge=bytes.fromhex(get["challenge"]),
            policy=POLICY,
        )
        for each in (assertion, spoilt)
    ]
    assert outcomes == [
        PolicyViolated(violation=PolicyViolation(get["violates"])),
        WrongSignature(detail="signature"),
    ]
