"""Reset, reopening, quarantine and limits: what is told, what is remembered, and that versions keep rising."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.v1 import event_pb2, resources_pb2
from strongroom_client.authenticators.port import AuthenticatorError, NoMatchingCredential
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.descriptions import Policy
from strongroom_client.errors import NoVault, ReplyMismatch, ResetPending, VaultClosed
from strongroom_client.notices import Notice, NoticeKind
from strongroom_client.pending import NOTHING_PENDING
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.steps import Rpc
from tests.fakes.client import CountingAuthenticator, EnrolledDevice, FakeMemory, client_of
from tests.fakes.vault import ACCOUNT, GRACE_MS, FakeVault

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def thief(tmp_path: Path) -> InsecureSoftwareAuthenticator:
    """The passkey of somebody who has the login, and nothing else."""
    return InsecureSoftwareAuthenticator(state_path=tmp_path / "thief")


def kinds(notices: tuple[Notice, ...]) -> list[NoticeKind]:
    return [notice.kind for notice in notices]


def test_reset_starts_an_empty_life_and_says_when_the_old_one_ends(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    client = enrolled.client()
    before = client.memory.position.version
    assert client.reset() == enrolled.vault.now + GRACE_MS
    assert client.memory.position.version == before + 1
    assert client.memory.archive_recipient is None, "nothing is backed up to a key that will be gone"
    assert kinds(client.notices) == [NoticeKind.SET_ASIDE]
    status = client.vault()
    assert (status.state, status.passkeys) == ("empty", ())
    assert status.set_aside is not None
    assert status.set_aside.erase_at == enrolled.vault.now + GRACE_MS
    anew = InsecureSoftwareAuthenticator(state_path=tmp_path / "anew")
    assert client.enroll(anew, user_name=ACCOUNT).archive_version > before
    assert client.release(anew).opened


def test_second_reset_is_refused_while_the_first_waits(enrolled: EnrolledDevice) -> None:
    enrolled.client().reset()
    with pytest.raises(ResetPending):
        enrolled.client().reset()


def test_lost_answer_to_a_reset_is_asked_for_again_with_the_same_nonce(enrolled: EnrolledDevice) -> None:
    enrolled.front.lose[Rpc.RESET_VAULT] = 2
    enrolled.client().reset()
    sent = [request.SerializeToString() for rpc, request in enrolled.front.seen if rpc is Rpc.RESET_VAULT]
    assert (len(sent), len(set(sent))) == (3, 1)


def test_owner_is_told_of_a_thiefs_reset_and_takes_the_vault_back(
    enrolled: EnrolledDevice, thief: InsecureSoftwareAuthenticator
) -> None:
    owned = enrolled.client().release(enrolled.authenticator).identities()
    enrolled.client().vault()
    client_of(enrolled.vault).reset()
    client_of(enrolled.vault).enroll(thief, user_name=ACCOUNT)
    client = enrolled.client()
    with pytest.raises(NoMatchingCredential):
        client.release(enrolled.authenticator)
    assert NoticeKind.SET_ASIDE in kinds(client.notices), "before anything was asked of a passkey"
    version = client.vault().version
    assert NoticeKind.ANOTHER_LIFE in kinds(client.notices)
    client.reopen_set_aside(enrolled.authenticator)
    assert client.memory.position.version == version + 1
    assert client.memory.pending == NOTHING_PENDING
    assert client.release(enrolled.authenticator).identities() == owned
    with pytest.raises(NoMatchingCredential):
        client.release(thief)


def test_owner_is_told_where_the_vault_says_that_there_is_none(enrolled: EnrolledDevice) -> None:
    """An empty life refuses every operation: the client finds out why, from what the vault signs."""
    client_of(enrolled.vault).reset()
    client = enrolled.client()
    with pytest.raises(NoVault):
        client.release(enrolled.authenticator)
    assert kinds(client.notices) == [NoticeKind.SET_ASIDE, NoticeKind.ANOTHER_LIFE]
    assert client.memory.position == enrolled.memory.kept.position


def test_set_aside_vault_is_reopened_by_its_recovery_key(tmp_path: Path) -> None:
    vault = FakeVault()
    lost = InsecureSoftwareAuthenticator(state_path=tmp_path / "lost")
    client = client_of(vault)
    enrolled = client.enroll(lost, user_name=ACCOUNT)
    client.reset()
    client.reopen_set_aside(enrolled.recovery_key)
    assert client.release_with_recovery_key(enrolled.recovery_key).identities() == (enrolled.backup_identity,)


def test_passkey_of_the_newer_life_reopens_nothing(
    enrolled: EnrolledDevice, thief: InsecureSoftwareAuthenticator
) -> None:
    client = enrolled.client()
    client.reset()
    client.enroll(thief, user_name=ACCOUNT)
    with pytest.raises(NoMatchingCredential):
        client.reopen_set_aside(thief)
    with pytest.raises(ReplyMismatch, match="not the one that the vault knows"):
        client.reopen_set_aside(RecoveryKey(bytes(32)))


def test_nothing_set_aside_is_not_reopened(enrolled: EnrolledDevice) -> None:
    with pytest.raises(NoVault):
        enrolled.client().reopen_set_aside(enrolled.authenticator)


def test_device_of_the_newer_life_learns_that_the_earlier_was_reopened(
    enrolled: EnrolledDevice, tmp_path: Path
) -> None:
    """Its envelopes are older than one that this device has opened, and for once that is right: the vault signs why."""
    anew = InsecureSoftwareAuthenticator(state_path=tmp_path / "anew")
    memory = FakeMemory()
    client = client_of(enrolled.vault, memory=memory)
    client.reset()
    client.enroll(anew, user_name=ACCOUNT)
    client_of(enrolled.vault).reopen_set_aside(enrolled.authenticator.real)
    client = client_of(enrolled.vault, memory=memory)
    released = client.release(enrolled.authenticator.real)
    assert released.opened[0].archive_version < memory.kept.position.version
    assert memory.kept.opened_archive_version == released.opened[0].archive_version


def test_older_envelopes_of_the_same_life_are_still_refused(enrolled: EnrolledDevice) -> None:
    """Control for the test before: without another life the vault has no reason to release what is older."""
    client = enrolled.client()
    content = client.release(enrolled.authenticator).opened[0].content
    client.store_envelope(enrolled.authenticator, content)
    client.release(enrolled.authenticator)
    record = enrolled.vault.record
    enrolled.vault.record = replace(record, archives=record.archives[1:])
    with pytest.raises(ReplyMismatch, match="older than one that this device has opened"):
        enrolled.client().release(enrolled.authenticator)


def test_pending_erasure_is_told_in_every_call_and_remembered(enrolled: EnrolledDevice) -> None:
    enrolled.vault.record = replace(enrolled.vault.record, account_erase_at=enrolled.vault.now + 30 * DAY_MS)
    told: list[Notice] = []
    for _ in range(2):
        client = client_of(enrolled.vault, memory=enrolled.memory, notify=told.append)
        client.release(enrolled.authenticator)
        client.vault()
    assert [(one.kind, one.at) for one in told] == [(NoticeKind.ACCOUNT_ERASURE, enrolled.vault.now + 30 * DAY_MS)] * 2
    assert enrolled.memory.kept.pending.account_erase_at == enrolled.vault.now + 30 * DAY_MS


def test_closed_vault_is_told_and_reopened(enrolled: EnrolledDevice) -> None:
    enrolled.vault.record = replace(enrolled.vault.record, closed=True)
    client = enrolled.client()
    with pytest.raises(VaultClosed):
        client.release(enrolled.authenticator)
    assert kinds(client.notices) == [NoticeKind.CLOSED]
    client.reopen_closed(enrolled.authenticator)
    assert client.release(enrolled.authenticator).opened
    assert not client.vault().closed


def test_quarantined_passkey_is_told_and_trusted_again_by_another_only(
    enrolled: EnrolledDevice, tmp_path: Path
) -> None:
    further = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "further"))
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    enrolled.vault.record = replace(enrolled.vault.record, quarantined=frozenset({own}))
    client.vault()
    assert [(one.kind, one.credential_id) for one in client.notices] == [(NoticeKind.QUARANTINED, own)]
    with pytest.raises(AuthenticatorError):
        client.lift_quarantine(enrolled.authenticator, own)
    client.lift_quarantine(further, own)
    assert client.release(enrolled.authenticator).opened


def test_limits_are_set_as_a_whole(enrolled: EnrolledDevice) -> None:
    policy = Policy(
        budget=5, cool_down_seconds=(60,), on_exhaustion="lock", releases_per_day=3, reset_grace_seconds=86_400
    )
    client = enrolled.client()
    client.set_policy(enrolled.authenticator, policy)
    assert client.vault().policy == policy


def test_deletion_elsewhere_is_told(enrolled: EnrolledDevice) -> None:
    client_of(enrolled.vault).delete(enrolled.authenticator.real)
    client = enrolled.client()
    client.vault()
    assert kinds(client.notices) == [NoticeKind.ANOTHER_LIFE]
    assert "deleted elsewhere" in client.notices[0].said


def test_own_deletion_is_no_news(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    client.delete(enrolled.authenticator)
    client.vault()
    assert client.notices == ()


def test_account_erased_by_its_time_can_be_enrolled_again(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    """What was due is gone although no change has moved the version: the digest that was remembered counts no more."""
    due = enrolled.vault.now + 30 * DAY_MS
    enrolled.vault.record = replace(enrolled.vault.record, account_erase_at=due)
    enrolled.client().vault()
    enrolled.vault.now = due + 1
    erased = enrolled.vault.record.emptied(resources_pb2.VAULT_STATE_ERASED)
    kept = enrolled.vault.record
    enrolled.vault.record = replace(
        erased, version=kept.version, chain=kept.chain, events=kept.events, account_erase_at=None
    )
    enrolled.vault.serial += 1
    anew = InsecureSoftwareAuthenticator(state_path=tmp_path / "anew")
    assert enrolled.client().enroll(anew, user_name=ACCOUNT).archive_version > kept.version


def test_events_of_a_reset_are_described(enrolled: EnrolledDevice) -> None:
    enrolled.client().reset()
    enrolled.client().reopen_set_aside(enrolled.authenticator)
    reopened, reset, *_ = enrolled.client().history()
    assert (reset.kind, reset.erase_at) == ("reset", enrolled.vault.now + GRACE_MS)
    assert (reopened.kind, reopened.about_set_aside) == ("reopen", True)
    enrolled.vault.move(enrolled.vault.record, event_pb2.Event(swept=[event_pb2.SWEPT_ACCOUNT]), "sweep")
    assert enrolled.client().history()[0].swept == ("account",)
