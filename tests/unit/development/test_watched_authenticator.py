from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from fido2.cose import CoseKey
from fido2.webauthn import AttestationObject, CollectedClientData

from deploy.development.watched_authenticator import WatchedAuthenticator
from strongroom_client.authenticators.port import Assertion
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator

_ES256, _EDDSA = -7, -8


@pytest.fixture(params=[_ES256, _EDDSA])
def algorithm(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    return chosen


@pytest.fixture
def watched(tmp_path: Path) -> WatchedAuthenticator:
    return WatchedAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkey"))


def _register(watched: WatchedAuthenticator, algorithm: int) -> CoseKey:
    created = watched.make_credential(
        rp_id="localhost",
        origin="http://localhost",
        challenge=bytes(32),
        user_handle=bytes(32),
        user_name="alice",
        algorithms=(algorithm,),
        exclude=(),
        prf_input=bytes(32),
    )
    data = AttestationObject(created.attestation_object).auth_data.credential_data
    assert data is not None
    return CoseKey.parse(data.public_key)


def _sign(watched: WatchedAuthenticator) -> Assertion:
    return watched.get_assertion(
        rp_id="localhost", origin="http://localhost", challenge=bytes(32), allow=(), prf_input=bytes(32)
    )


def _verify(key: CoseKey, signed: Assertion) -> None:
    client_data = CollectedClientData(signed.client_data_json)
    key.verify(signed.authenticator_data + client_data.hash, signed.signature)


def test_signatures_are_wrong_only_while_spoilt(watched: WatchedAuthenticator, algorithm: int) -> None:
    key = _register(watched, algorithm)
    _verify(key, _sign(watched))
    with watched.spoiling():
        spoilt = _sign(watched)
    with pytest.raises(InvalidSignature):
        _verify(key, spoilt)
    _verify(key, _sign(watched))


def test_every_prompt_is_counted(watched: WatchedAuthenticator, algorithm: int) -> None:
    _register(watched, algorithm)
    _sign(watched)
    with watched.spoiling():
        _sign(watched)
    assert watched.prompts == 3
