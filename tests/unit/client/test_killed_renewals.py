"""A change that is killed after any of its steps: the old or the new archive opens, never neither, and all else too.

`tests/integration/client/test_killed_processes.py` does the same to real processes, at a real vault.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import Mode
from tests.fakes.client import FakeMemory
from tests.fakes.home import OLD, Home, Procedure, killed_after_every_effect
from tests.fakes.vault import ACCOUNT, FakeVault


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def renews(home: Home, client: VaultClient) -> None:
    client.renew(home.passkey("own"))
    home.back_up_anew()


def renews_twice(home: Home, client: VaultClient) -> None:
    client.renew(home.passkey("own"))
    client.renew(home.passkey("own"))
    home.back_up_anew()


def adds(home: Home, client: VaultClient) -> None:
    (home.folder / "added").unlink(missing_ok=True)
    client.add_passkey(home.passkey("added"), user_name=ACCOUNT, by=home.passkey("own"), name="Added")
    home.back_up_anew()


def removes(home: Home, client: VaultClient) -> None:
    spare = InsecureSoftwareAuthenticator(state_path=home.folder / "spare")
    signed = spare.get_assertion(
        rp_id="vault.example", origin="https://vault.example", challenge=bytes(32), allow=(), prf_input=bytes(32)
    )
    own = next(one.credential_id for one in client.vault().passkeys if one.credential_id != signed.credential_id)
    client.remove_passkey(home.passkey("spare"), own)
    home.back_up_anew()


def replaces_the_recovery_key(home: Home, client: VaultClient) -> None:
    client.set_recovery(home.passkey("own"), recovery_key=home.write_down())
    home.back_up_anew()


def recovers(home: Home, client: VaultClient) -> None:
    (home.folder / "found").unlink(missing_ok=True)
    client.add_passkey(home.passkey("found"), user_name=ACCOUNT, by=home.paper[0])
    home.back_up_anew()


def moves_to_the_vault_alone(home: Home, client: VaultClient) -> None:
    client.change_mode(home.passkey("own"), Mode.VAULT_HELD)
    home.back_up_anew()


def moves_to_the_passkeys(home: Home, client: VaultClient) -> None:
    client.change_mode(SeveralAuthenticators(home.passkey("own"), home.passkey("spare")), Mode.PRF)
    home.back_up_anew()


QUICK = [renews, removes, moves_to_the_vault_alone]
LONG = [renews_twice, adds, replaces_the_recovery_key, recovers]
CHANGES = [*QUICK, *(pytest.param(change, marks=pytest.mark.verify) for change in LONG)]


@pytest.mark.parametrize("change", CHANGES)
def test_every_archive_opens_after_whichever_step_a_change_is_killed(home: Home, change: Procedure) -> None:
    assert killed_after_every_effect(home, change) > 12


@pytest.mark.verify
def test_every_archive_opens_after_whichever_step_the_move_back_is_killed(home: Home) -> None:
    with home.client() as client:
        client.change_mode(home.passkey("own"), Mode.VAULT_HELD)
    assert killed_after_every_effect(home, moves_to_the_passkeys) > 12


@pytest.mark.verify
def test_killed_change_is_made_again(home: Home) -> None:
    """The same command once more, on the same device: nothing that was left half done is in its way."""

    def again(home: Home) -> None:
        with home.client() as client:
            renews(home, client)
        assert OLD not in home.archives
        home.assert_everything_opens()

    killed_after_every_effect(home, renews, afterwards=again)


def test_archive_made_before_two_killed_renewals_opens(home: Home) -> None:
    """Each was killed right after the vault had stored the new envelope, and before this device knew it."""
    for _ in range(2):
        before = home.vault.record.version
        after = 1
        while home.vault.record.version < before + 2:
            standing = home.standing()
            assert home.is_killed(renews, after=after)
            if home.vault.record.version < before + 2:
                home.go_back(standing)
            after += 1
    assert home.archives.keys() == {OLD}
    home.assert_everything_opens()


def test_renewal_in_the_wrong_order_is_caught(home: Home) -> None:
    """Control: who encrypts to the fresh key before the vault has it loses the archive when killed in between."""

    def in_the_wrong_order(home: Home, client: VaultClient) -> None:
        released = client.release(home.passkey("own"))
        content, fresh = released.opened[0].content, generate_identity()
        home.back_up_anew(recipient=recipient_of(fresh))
        renewed = replace(content, archive_identities=(fresh, *content.archive_identities))
        client.store_envelope(home.passkey("own"), renewed)

    with pytest.raises(AssertionError, match="the passkey does not open what is"):
        killed_after_every_effect(home, in_the_wrong_order)


def test_archive_dropped_before_the_next_is_whole_is_caught(home: Home) -> None:
    """Control: the harness sees that no archive is left."""

    def drops_first(home: Home, client: VaultClient) -> None:
        client.renew(home.passkey("own"))
        home.archives.pop(OLD)
        home.life.passes()
        home.back_up_anew()

    with pytest.raises(AssertionError, match="the old archive is gone"):
        killed_after_every_effect(home, drops_first)


@pytest.mark.verify
def test_enrollment_that_is_killed_is_begun_again_or_stands(tmp_path: Path) -> None:
    home = Home(tmp_path)
    standing = home.standing()
    empty = replace(standing, record=FakeVault().record, memory=FakeMemory().kept, archives={})

    def enrolls(home: Home, client: VaultClient) -> None:
        (home.folder / "first").unlink(missing_ok=True)
        client.enroll(home.passkey("first"), user_name=ACCOUNT, recovery_key=home.paper[0])
        home.back_up_anew()

    def goes_on(home: Home) -> None:
        with home.client() as client:
            is_live = client.vault().state == "live"
        if not is_live:
            with home.client() as client:
                enrolls(home, client)
        home.archives.setdefault(OLD, b"")
        home.assert_everything_opens(by="first")

    home.go_back(empty)
    assert killed_after_every_effect(home, enrolls, afterwards=goes_on) > 12
