"""The client over the whole service: every operation, the receipts that it kept, and the evidence in the history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault
from strongroom_client.authenticators.port import NoMatchingCredential
from strongroom_client.errors import (
    Exhausted,
    NotVerified,
    NoVault,
    ReplyMismatch,
    ResetPending,
    ScopeMissing,
    VaultClosed,
)
from strongroom_client.notices import NoticeKind
from tests.fakes.client import CountingAuthenticator
from tests.fakes.resident import Resident


@pytest.fixture
def resident(development_vault: DevelopmentVault, tmp_path: Path) -> Resident:
    return Resident(development_vault, tmp_path)


def assert_proven(resident: Resident, *, device: str = "device") -> None:
    """Every receipt is sound, the history has all of them, and every signature in it holds."""
    with resident.client(device) as client:
        assert client.examine_history() == ()
        examination = client.examine_receipts()
        assert examination.findings == ()
        assert examination.receipts > 0
        assert client.compare_receipts() == ()


def test_passkeys_are_added_and_removed_and_the_recovery_key_replaced(resident: Resident) -> None:
    first, second = resident.passkey("first"), resident.passkey("second")
    with resident.client() as client:
        enrolled = client.enroll(first, user_name=resident.account)
        client.add_passkey(second, user_name=resident.account, by=first)
        client.remove_passkey(second, enrolled.credential_id)
        with pytest.raises(NoMatchingCredential):
            client.release(first)
        changed = client.set_recovery(second)
        identities = client.release_with_recovery_key(changed.recovery_key).identities()
        assert identities[-1] == enrolled.backup_identity
        assert len(identities) == 3, "the removal and the new recovery key each brought one"
        with pytest.raises(ReplyMismatch):
            client.release_with_recovery_key(enrolled.recovery_key)
        kinds = [event.kind for event in reversed(client.history())]
        assert [kind for kind in kinds if kind != "release"] == [
            "register",
            "store",
            "add-credential",
            "remove-credential",
            "set-recovery",
        ]
    assert_proven(resident)


def test_new_passkey_is_let_in_by_the_recovery_key_on_a_new_device(resident: Resident) -> None:
    with resident.client("old device") as client:
        enrolled = client.enroll(resident.passkey("lost"), user_name=resident.account)
    found = resident.passkey("found")
    with resident.client("new device") as client:
        client.add_passkey(found, user_name=resident.account, by=enrolled.recovery_key)
        assert client.release(found).identities() == (enrolled.backup_identity,)
    assert_proven(resident, device="new device")


def test_owner_sees_a_reset_and_takes_the_vault_back(resident: Resident) -> None:
    owner, thief = resident.passkey("owner"), resident.passkey("thief")
    with resident.client() as client:
        enrolled = client.enroll(owner, user_name=resident.account)
        client.vault()
    with resident.client("thief's device") as client, pytest.raises(ScopeMissing):
        client.reset()
    with resident.client("thief's device", scope="vault reset") as client:
        client.reset()
        with pytest.raises(ResetPending):
            client.reset()
        client.enroll(thief, user_name=resident.account)
    with resident.client() as client:
        with pytest.raises(NoMatchingCredential):
            client.release(owner)
        status = client.vault()
        assert status.set_aside is not None
        assert {notice.kind for notice in client.notices} >= {NoticeKind.SET_ASIDE, NoticeKind.ANOTHER_LIFE}
        client.reopen_set_aside(owner)
        assert client.memory.position.version == status.version + 1
        assert client.release(owner).identities() == (enrolled.backup_identity,)
        assert client.vault().set_aside is None
    assert_proven(resident)


def test_empty_life_tells_why_it_is_empty(resident: Resident) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        enrolled = client.enroll(passkey, user_name=resident.account)
    with resident.client("elsewhere", scope="vault reset") as client:
        client.reset()
    with resident.client() as client:
        with pytest.raises(NoVault):
            client.release(passkey)
        assert NoticeKind.SET_ASIDE in {notice.kind for notice in client.notices}
        client.reopen_set_aside(enrolled.recovery_key)
        assert client.release(passkey).identities() == (enrolled.backup_identity,)
    assert_proven(resident)


def test_limits_are_the_users_to_set(resident: Resident) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        client.enroll(passkey, user_name=resident.account)
        policy = client.vault().policy
        assert policy is not None
        stricter = replace(policy, budget=5, releases_per_day=7, on_exhaustion="lock")
        client.set_policy(passkey, stricter)
        assert client.vault().policy == stricter
        client.delete(passkey)
    assert_proven(resident)


def test_vault_that_closes_is_reopened_by_the_recovery_key(resident: Resident) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        enrolled = client.enroll(passkey, user_name=resident.account)
        policy = client.vault().policy
        assert policy is not None
        client.set_policy(passkey, replace(policy, budget=1, cool_down_seconds=(), on_exhaustion="lock"))
        with pytest.raises(NotVerified):
            client.release(CountingAuthenticator(passkey, forges=True))
        with pytest.raises(VaultClosed):
            client.release(passkey)
        with pytest.raises(VaultClosed):
            client.reopen_closed(passkey)
        assert NoticeKind.CLOSED in {notice.kind for notice in client.notices}
        client.reopen_closed(enrolled.recovery_key)
        assert client.release(passkey).identities() == (enrolled.backup_identity,)
    assert_proven(resident)


def test_copied_passkey_is_quarantined_and_trusted_again_by_another(resident: Resident) -> None:
    passkey, other = resident.passkey(), resident.passkey("other")
    with resident.client() as client:
        enrolled = client.enroll(passkey, user_name=resident.account)
        client.add_passkey(other, user_name=resident.account, by=passkey)
        copied = (resident.folder / "passkey").read_bytes()
        client.release(passkey)
        (resident.folder / "passkey").write_bytes(copied)
        with pytest.raises(NotVerified):
            client.release(resident.passkey())
        client.vault()
        assert NoticeKind.QUARANTINED in {notice.kind for notice in client.notices}
        client.lift_quarantine(other, enrolled.credential_id)
        assert client.release(resident.passkey()).identities() == (enrolled.backup_identity,)
    assert_proven(resident)


def test_vault_that_destroys_what_it_kept_is_told_and_enrolled_anew(resident: Resident) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        client.enroll(passkey, user_name=resident.account)
        policy = client.vault().policy
        assert policy is not None
        client.set_policy(passkey, replace(policy, budget=1, cool_down_seconds=()))
        version = client.memory.position.version
    with resident.client("elsewhere") as other, pytest.raises(NotVerified):
        other.release(CountingAuthenticator(passkey, forges=True))
    with resident.client() as client:
        with pytest.raises(Exhausted):
            client.release(passkey)
        assert NoticeKind.ANOTHER_LIFE in {notice.kind for notice in client.notices}
        assert client.enroll(resident.passkey("anew"), user_name=resident.account).archive_version > version
    assert_proven(resident)
