"""Passkeys whose PRF is missing, late, unstable or wrong, and the mode that needs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.envelope import WrongPrf
from strongroom_client.errors import ModeNotExpected, PrfUnavailable, PrfUnstable, UnpinnedVault
from strongroom_client.memory import Mode
from strongroom_client.steps import Rpc
from tests.fakes.client import CountingAuthenticator, client_of
from tests.fakes.vault import ACCOUNT, FakeVault


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


def test_passkey_without_prf_stores_nothing_and_can_enroll_again(vault: FakeVault, tmp_path: Path) -> None:
    without = InsecureSoftwareAuthenticator(state_path=tmp_path / "without", has_prf=False)
    client = client_of(vault)
    with pytest.raises(PrfUnavailable):
        client.enroll(without, user_name=ACCOUNT)
    assert Rpc.STORE_ENVELOPE not in vault.calls
    client.enroll(InsecureSoftwareAuthenticator(state_path=tmp_path / "with"), user_name=ACCOUNT)


def test_passkey_whose_prf_is_not_evaluated_at_creation_enrolls(vault: FakeVault, tmp_path: Path) -> None:
    late = InsecureSoftwareAuthenticator(state_path=tmp_path / "late", prf_at_creation=False)
    assert client_of(vault).enroll(late, user_name=ACCOUNT).archive_version == 2


@pytest.mark.parametrize("prompt", [2, 3])
def test_unstable_prf_is_found_out_at_enrollment(vault: FakeVault, tmp_path: Path, prompt: int) -> None:
    real = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys")
    with pytest.raises(PrfUnstable):
        client_of(vault).enroll(CountingAuthenticator(real, spoil_prf={prompt: b"x" * 32}), user_name=ACCOUNT)
    assert (Rpc.STORE_ENVELOPE in vault.calls) == (prompt == 3)


def test_release_without_prf_output_is_not_sent(vault: FakeVault, tmp_path: Path) -> None:
    authenticator = CountingAuthenticator(
        InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"), spoil_prf={4: None}
    )
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    with pytest.raises(PrfUnavailable):
        client.release(authenticator)
    assert vault.calls[-1] is Rpc.BEGIN_CEREMONY


def test_wrong_prf_is_told_apart_from_a_refusal(vault: FakeVault, tmp_path: Path) -> None:
    real = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys")
    authenticator = CountingAuthenticator(real, spoil_prf={4: b"x" * 32})
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    with pytest.raises(WrongPrf):
        client.release(authenticator)
    assert client.memory.position.version == vault.record.version


def test_vault_held_mode_needs_no_prf_but_a_pin(vault: FakeVault, tmp_path: Path) -> None:
    without = InsecureSoftwareAuthenticator(state_path=tmp_path / "without", has_prf=False)
    with pytest.raises(UnpinnedVault):
        client_of(vault, pinned=False).enroll(without, user_name=ACCOUNT, mode=Mode.VAULT_HELD)
    assert vault.calls == []
    client = client_of(vault)
    enrolled = client.enroll(without, user_name=ACCOUNT, mode=Mode.VAULT_HELD)
    assert client.release(without).identities() == (enrolled.backup_identity,)


def test_vault_held_mode_is_not_taken_unasked_on_a_new_device(vault: FakeVault, tmp_path: Path) -> None:
    without = InsecureSoftwareAuthenticator(state_path=tmp_path / "without", has_prf=False)
    client_of(vault).enroll(without, user_name=ACCOUNT, mode=Mode.VAULT_HELD)
    with pytest.raises(ModeNotExpected, match="it alone holds"):
        client_of(vault).release(without)
    assert client_of(vault).release(without, mode=Mode.VAULT_HELD).opened
