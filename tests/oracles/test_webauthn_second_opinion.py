"""What we accept, an independent verifier accepts with the same result; and what is tampered with, both refuse."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    Verified,
    WebAuthnAssertion,
    WebAuthnAttestation,
)
from strongroom_service.domain.errors import Refusal
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from tests.fakes.passkey import EDDSA, ES256, RS256, SoftwarePasskey

CREATE_CHALLENGE, GET_CHALLENGE = b"create" * 6, b"get" * 11
SCRIPT = Path(__file__).with_name("webauthn_verdicts.py")


@dataclass(frozen=True, kw_only=True)
class Ceremonies:
    policy: AssertionPolicy
    attestation: WebAuthnAttestation
    assertion: WebAuthnAssertion


def text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def policy_for(rp_id: str, origin: str) -> AssertionPolicy:
    return AssertionPolicy(rp_id=rp_id, origins=frozenset({origin}), algorithms=(ES256, EDDSA, RS256))


def forged(algorithm: int) -> Ceremonies:
    passkey = SoftwarePasskey(algorithm=algorithm)
    return Ceremonies(
        policy=policy_for(passkey.rp_id, passkey.origin),
        attestation=passkey.make_attestation(CREATE_CHALLENGE),
        assertion=passkey.make_assertion(GET_CHALLENGE),
    )


def through_a_client(directory: Path, *, rp_id: str, origin: str, algorithm: int, has_prf: bool) -> Ceremonies:
    authenticator = InsecureSoftwareAuthenticator(state_path=directory / "passkeys", has_prf=has_prf)
    created: Attestation = authenticator.make_credential(
        rp_id=rp_id,
        origin=origin,
        challenge=CREATE_CHALLENGE,
        user_handle=bytes(32),
        user_name="somebody",
        algorithms=[algorithm],
        exclude=[],
        prf_input=b"input",
    )
    signed: Assertion = authenticator.get_assertion(
        rp_id=rp_id, origin=origin, challenge=GET_CHALLENGE, allow=[created.credential_id], prf_input=b"input"
    )
    return Ceremonies(
        policy=policy_for(rp_id, origin),
        attestation=WebAuthnAttestation(
            credential_id=created.credential_id,
            client_data_json=created.client_data_json,
            attestation_object=created.attestation_object,
            transports=created.transports,
        ),
        assertion=WebAuthnAssertion(
            credential_id=signed.credential_id,
            authenticator_data=signed.authenticator_data,
            client_data_json=signed.client_data_json,
            signature=signed.signature,
            user_handle=signed.user_handle,
        ),
    )


def register(ceremonies: Ceremonies) -> Credential:
    return check_attestation(
        attestation=ceremonies.attestation,
        challenge=CREATE_CHALLENGE,
        policy=ceremonies.policy,
        user_handle=ceremonies.assertion.user_handle or b"",
        now=Millis(0),
    )


def creation_case(ceremonies: Ceremonies) -> dict[str, Any]:
    attestation = ceremonies.attestation
    response = {
        "clientDataJSON": text(attestation.client_data_json),
        "attestationObject": text(attestation.attestation_object),
    }
    return case(ceremonies, attestation.credential_id, CREATE_CHALLENGE, response)


def request_case(ceremonies: Ceremonies, credential: Credential) -> dict[str, Any]:
    assertion = ceremonies.assertion
    response = {
        "clientDataJSON": text(assertion.client_data_json),
        "authenticatorData": text(assertion.authenticator_data),
        "signature": text(assertion.signature),
    }
    return {
        **case(ceremonies, assertion.credential_id, GET_CHALLENGE, response),
        "public_key": text(credential.cose_key),
        "sign_count": credential.sign_count,
    }


def case(ceremonies: Ceremonies, credential_id: bytes, challenge: bytes, response: dict[str, str]) -> dict[str, Any]:
    return {
        "credential": {
            "id": text(credential_id),
            "rawId": text(credential_id),
            "type": "public-key",
            "response": response,
        },
        "challenge": text(challenge),
        "rp_id": ceremonies.policy.rp_id,
        "origin": next(iter(ceremonies.policy.origins)),
    }


def second_opinion(oracle_python: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    finished = subprocess.run(
        [oracle_python, SCRIPT], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    verdicts: list[dict[str, Any]] = json.loads(finished.stdout)
    assert len(verdicts) == len(cases)
    return verdicts


@pytest.fixture(scope="session")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> list[Ceremonies]:
    directory = tmp_path_factory.mktemp("software")
    https = ("vault.example", "https://vault.example")
    local = ("localhost", "http://localhost:8080")
    return [
        *(forged(algorithm) for algorithm in (ES256, EDDSA, RS256)),
        *(
            through_a_client(directory, rp_id=rp_id, origin=origin, algorithm=algorithm, has_prf=has_prf)
            for rp_id, origin in (https, local)
            for algorithm in (ES256, EDDSA)
            for has_prf in (True, False)
        ),
    ]


def test_both_verifiers_accept_the_same_and_read_the_same(oracle_python: Path, accepted: list[Ceremonies]) -> None:
    credentials = [register(ceremonies) for ceremonies in accepted]
    creations = second_opinion(oracle_python, [creation_case(ceremonies) for ceremonies in accepted])
    requests = second_opinion(oracle_python, list(map(request_case, accepted, credentials)))
    for ceremonies, credential, created, signed in zip(accepted, credentials, creations, requests, strict=True):
        outcome = check_assertion(
            assertion=ceremonies.assertion, credential=credential, challenge=GET_CHALLENGE, policy=ceremonies.policy
        )
        assert isinstance(outcome, Verified)
        assert created == {
            "accepted": True,
            "sign_count": credential.sign_count,
            "public_key": text(credential.cose_key),
        }
        assert (signed["accepted"], signed["sign_count"]) == (True, outcome.sign_count)


def flip_last(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


SPOIL_ASSERTION: dict[str, Callable[[WebAuthnAssertion], WebAuthnAssertion]] = {
    "signature": lambda a: replace(a, signature=flip_last(a.signature)),
    "counter": lambda a: replace(a, authenticator_data=a.authenticator_data[:36] + b"\xff" + a.authenticator_data[37:]),
    "origin": lambda a: replace(a, client_data_json=a.client_data_json.replace(b'"origin":"http', b'"origin":"Http')),
    "type": lambda a: replace(a, client_data_json=a.client_data_json.replace(b"webauthn.get", b"webauthn.got")),
}


@pytest.mark.parametrize("part", SPOIL_ASSERTION)
def test_both_verifiers_refuse_a_tampered_assertion(oracle_python: Path, accepted: list[Ceremonies], part: str) -> None:
    spoilt = [replace(ceremonies, assertion=SPOIL_ASSERTION[part](ceremonies.assertion)) for ceremonies in accepted]
    assert all(mine.assertion != good.assertion for mine, good in zip(spoilt, accepted, strict=True))
    credentials = [register(ceremonies) for ceremonies in spoilt]
    for ceremonies, credential in zip(spoilt, credentials, strict=True):
        outcome = check_assertion(
            assertion=ceremonies.assertion, credential=credential, challenge=GET_CHALLENGE, policy=ceremonies.policy
        )
        assert not isinstance(outcome, Verified)
    verdicts = second_opinion(oracle_python, list(map(request_case, spoilt, credentials)))
    assert [verdict["accepted"] for verdict in verdicts] == [False] * len(spoilt)


def test_both_verifiers_refuse_a_tampered_creation(oracle_python: Path, accepted: list[Ceremonies]) -> None:
    spoilt = [
        replace(
            ceremonies,
            attestation=replace(
                ceremonies.attestation,
                client_data_json=ceremonies.attestation.client_data_json.replace(b"webauthn.create", b"webauthn.get"),
            ),
        )
        for ceremonies in accepted
    ]
    for ceremonies in spoilt:
        with pytest.raises(Refusal):
            register(ceremonies)
    verdicts = second_opinion(oracle_python, list(map(creation_case, spoilt)))
    assert [verdict["accepted"] for verdict in verdicts] == [False] * len(spoilt)
