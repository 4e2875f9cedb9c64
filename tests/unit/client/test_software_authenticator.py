from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import pytest

from strongroom_client.authenticators.port import (
    Assertion,
    Attestation,
    Authenticator,
    AuthenticatorError,
    CredentialExcluded,
    NoMatchingCredential,
)
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.authenticators.software_state import SoftwareState

RP_ID, ORIGIN = "vault.example", "https://vault.example"
UP, UV, BE, BS = 0x01, 0x04, 0x08, 0x10


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "passkeys.json"


@pytest.fixture
def authenticator(state_path: Path) -> InsecureSoftwareAuthenticator:
    return InsecureSoftwareAuthenticator(state_path=state_path)


def create(
    authenticator: Authenticator,
    *,
    rp_id: str = RP_ID,
    origin: str = ORIGIN,
    algorithms: tuple[int, ...] = (-7,),
    exclude: tuple[bytes, ...] = (),
) -> Attestation:
    return authenticator.make_credential(
        rp_id=rp_id,
        origin=origin,
        challenge=b"c" * 32,
        user_handle=b"h" * 32,
        user_name="somebody",
        algorithms=algorithms,
        exclude=exclude,
        prf_input=b"input",
    )


def get(
    authenticator: Authenticator,
    *allow: bytes,
    rp_id: str = RP_ID,
    origin: str = ORIGIN,
    prf_input: bytes = b"input",
) -> Assertion:
    return authenticator.get_assertion(
        rp_id=rp_id, origin=origin, challenge=b"c" * 32, allow=allow, prf_input=prf_input
    )


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        (RP_ID, ORIGIN),
        (RP_ID, "https://app.vault.example:8443"),
        ("localhost", "http://localhost:8080"),
    ],
)
@pytest.mark.parametrize("algorithm", [-7, -8])
def test_created_credential_signs_with_user_verified(
    authenticator: InsecureSoftwareAuthenticator, rp_id: str, origin: str, algorithm: int
) -> None:
    created = create(authenticator, rp_id=rp_id, origin=origin, algorithms=(algorithm,))
    signed = get(authenticator, created.credential_id, rp_id=rp_id, origin=origin)
    assert signed.credential_id == created.credential_id
    assert signed.user_handle == b"h" * 32
    assert json.loads(signed.client_data_json)["origin"] == origin
    assert signed.authenticator_data[:32] == hashlib.sha256(rp_id.encode()).digest()
    assert signed.authenticator_data[32] & (UP | UV | BE | BS) == UP | UV


def test_first_algorithm_that_it_has_is_taken(authenticator: InsecureSoftwareAuthenticator, state_path: Path) -> None:
    create(authenticator, algorithms=(-257, -8, -7))
    assert [credential.algorithm for credential in SoftwareState(state_path).load()] == [-8]
    with pytest.raises(AuthenticatorError, match="none of the algorithms"):
        create(authenticator, algorithms=(-257,))


def test_prf_is_the_hmac_that_webauthn_defines(authenticator: InsecureSoftwareAuthenticator, state_path: Path) -> None:
    created = create(authenticator)
    (stored,) = SoftwareState(state_path).load()
    salt = hashlib.sha256(b"WebAuthn PRF\x00input").digest()
    expected = hmac.digest(stored.prf_secret, salt, "sha256")
    assert created.prf_output == expected
    assert get(authenticator, created.credential_id).prf_output == expected
    assert get(authenticator, created.credential_id, prf_input=b"other").prf_output != expected


def test_two_credentials_have_two_prfs(authenticator: InsecureSoftwareAuthenticator) -> None:
    assert create(authenticator).prf_output != create(authenticator).prf_output


def test_prf_may_come_with_the_assertion_only_or_not_at_all(tmp_path: Path) -> None:
    late = InsecureSoftwareAuthenticator(state_path=tmp_path / "late", prf_at_creation=False)
    created = create(late)
    assert created.prf_output is None
    assert get(late, created.credential_id).prf_output is not None
    never = InsecureSoftwareAuthenticator(state_path=tmp_path / "never", has_prf=False)
    created = create(never)
    assert created.prf_output is None
    assert get(never, created.credential_id).prf_output is None


def test_secrets_are_not_in_any_repr(authenticator: InsecureSoftwareAuthenticator, state_path: Path) -> None:
    created = create(authenticator)
    signed = get(authenticator, created.credential_id)
    (stored,) = SoftwareState(state_path).load()
    text = repr((created, signed, stored))
    for secret in (created.prf_output, signed.prf_output, stored.private_key, stored.prf_secret):
        assert secret is not None
        assert repr(secret) not in text
    assert "prf_output" not in text


def test_credentials_and_counter_outlive_the_process(
    authenticator: InsecureSoftwareAuthenticator, state_path: Path
) -> None:
    created = create(authenticator)
    first = get(authenticator, created.credential_id)
    second = get(InsecureSoftwareAuthenticator(state_path=state_path), created.credential_id)
    assert second.prf_output == first.prf_output
    counters = [int.from_bytes(signed.authenticator_data[33:37], "big") for signed in (first, second)]
    assert 1 < counters[0] < counters[1]
    assert SoftwareState(state_path).load()[0].sign_count == counters[1]


def test_synced_passkey_says_so(state_path: Path) -> None:
    synced = InsecureSoftwareAuthenticator(state_path=state_path, backup_eligible=True)
    created = create(synced)
    assert get(synced, created.credential_id).authenticator_data[32] & (BE | BS) == BE | BS


def test_allowed_credential_is_found_among_unknown_ones(authenticator: InsecureSoftwareAuthenticator) -> None:
    mine = [create(authenticator).credential_id for _ in range(3)]
    unknown = [bytes([number]) * 32 for number in range(40)]
    assert get(authenticator, *unknown[:20], mine[1], *unknown[20:]).credential_id == mine[1]


def test_without_allowed_ids_the_newest_of_this_relying_party_signs(
    authenticator: InsecureSoftwareAuthenticator,
) -> None:
    create(authenticator)
    newest = create(authenticator).credential_id
    create(authenticator, rp_id="localhost", origin="http://localhost")
    assert get(authenticator).credential_id == newest


def test_excluded_credential_is_not_made_twice(authenticator: InsecureSoftwareAuthenticator, state_path: Path) -> None:
    created = create(authenticator)
    with pytest.raises(CredentialExcluded):
        create(authenticator, exclude=(bytes(32), created.credential_id))
    create(authenticator, exclude=(bytes(32),))
    assert len(SoftwareState(state_path).load()) == 2


def test_no_credential_of_the_list_or_of_the_relying_party(authenticator: InsecureSoftwareAuthenticator) -> None:
    created = create(authenticator)
    with pytest.raises(NoMatchingCredential):
        get(authenticator, bytes(32))
    with pytest.raises(NoMatchingCredential):
        get(authenticator, created.credential_id, rp_id="localhost", origin="http://localhost")


@pytest.mark.parametrize("origin", ["http://vault.example", "https://evil.example", "https://notvault.example"])
def test_origin_that_may_not_use_the_relying_party_is_refused(
    authenticator: InsecureSoftwareAuthenticator, origin: str
) -> None:
    with pytest.raises(AuthenticatorError, match="BAD_REQUEST"):
        create(authenticator, origin=origin)


def test_state_file_is_private_and_leaves_nothing_beside_it(
    authenticator: InsecureSoftwareAuthenticator, state_path: Path
) -> None:
    created = create(authenticator)
    get(authenticator, created.credential_id)
    assert stat.S_IMODE(state_path.stat().st_mode) == 0o600
    assert list(state_path.parent.iterdir()) == [state_path]
    assert "INSECURE" in state_path.read_text()
    state_path.chmod(0o640)
    with pytest.raises(AuthenticatorError, match="0600"):
        get(authenticator, created.credential_id)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 2}, id="another version"),
        pytest.param({"version": None}, id="no version"),
        pytest.param({"credentials": [{}]}, id="credential without members"),
        pytest.param({"credentials": 1}, id="credentials are a number"),
    ],
)
def test_damaged_state_file_is_told_not_overwritten(
    authenticator: InsecureSoftwareAuthenticator, state_path: Path, change: dict[str, object]
) -> None:
    create(authenticator)
    spoilt = json.dumps({**json.loads(state_path.read_text()), **change})
    state_path.write_text(spoilt)
    with pytest.raises(AuthenticatorError, match="not a software authenticator's file"):
        create(authenticator)
    assert state_path.read_text() == spoilt
