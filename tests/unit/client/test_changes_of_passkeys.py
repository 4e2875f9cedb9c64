"""Adding and removing passkeys, and replacing the recovery key: who opens the vault, and who no longer does."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_client.age_keys import recipient_of
from strongroom_client.authenticators.port import CredentialExcluded, NoMatchingCredential
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.envelope import WrongPrf, open_envelope
from strongroom_client.errors import BeginAgain, PrfUnavailable, PrfUnstable, ReplyMismatch
from strongroom_client.memory import Mode
from strongroom_client.notices import Notice, NoticeKind
from strongroom_client.recovery_key import generate_recovery_key
from strongroom_client.steps import Rpc
from tests.fakes.client import CountingAuthenticator, EnrolledDevice, FakeMemory, client_of
from tests.fakes.vault import ACCOUNT, FakeVault


@pytest.fixture
def further(tmp_path: Path) -> CountingAuthenticator:
    """Another authenticator of the same person."""
    return CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "further"))


def test_added_passkey_opens_the_vault_alone(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    before = enrolled.client().release(enrolled.authenticator).identities()
    client = enrolled.client()
    added = client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    assert (enrolled.authenticator.prompts, further.prompts) == (3, 3)
    assert [one.credential_id for one in client.vault().passkeys].count(added.credential_id) == 1
    assert enrolled.client().release(further).identities() == before
    assert enrolled.client().release(enrolled.authenticator).identities() == before
    assert enrolled.memory.kept.credentials is not None
    assert added.credential_id in enrolled.memory.kept.credentials.ids
    assert client.notices == (), "what this device did itself is no news to it"


def test_passkey_is_added_by_the_recovery_key_when_every_passkey_is_lost(
    further: CountingAuthenticator, tmp_path: Path
) -> None:
    vault = FakeVault()
    lost = InsecureSoftwareAuthenticator(state_path=tmp_path / "lost")
    enrolled = client_of(vault).enroll(lost, user_name=ACCOUNT)
    client = client_of(vault)
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.recovery_key)
    assert client.release(further).identities() == (enrolled.backup_identity,)


def test_further_passkey_whose_prf_comes_late_is_added(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    late = InsecureSoftwareAuthenticator(state_path=tmp_path / "late", prf_at_creation=False)
    enrolled.client().add_passkey(late, user_name=ACCOUNT, by=enrolled.authenticator)
    assert enrolled.client().release(late).opened


def test_further_passkey_without_prf_is_not_added(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    without = InsecureSoftwareAuthenticator(state_path=tmp_path / "without", has_prf=False)
    with pytest.raises(PrfUnavailable):
        enrolled.client().add_passkey(without, user_name=ACCOUNT, by=enrolled.authenticator)
    assert Rpc.ADD_CREDENTIAL not in enrolled.vault.calls


@pytest.mark.parametrize(("prompt", "is_added"), [(2, False), (3, True)])
def test_further_passkey_whose_prf_is_unstable_is_found_out(
    enrolled: EnrolledDevice, further: CountingAuthenticator, prompt: int, *, is_added: bool
) -> None:
    further.spoil_prf[prompt] = b"x" * 32
    with pytest.raises(PrfUnstable):
        enrolled.client().add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    assert (Rpc.ADD_CREDENTIAL in enrolled.vault.calls) == is_added
    assert enrolled.client().release(enrolled.authenticator).opened


def test_authenticator_that_has_a_passkey_of_the_vault_makes_no_second(enrolled: EnrolledDevice) -> None:
    with pytest.raises(CredentialExcluded):
        enrolled.client().add_passkey(enrolled.authenticator, user_name=ACCOUNT, by=enrolled.authenticator)


def test_addition_is_given_up_when_another_change_comes_between(
    enrolled: EnrolledDevice, further: CountingAuthenticator
) -> None:
    begun: list[object] = []

    def another_change_before_the_third(_: object) -> None:
        begun.append(_)
        if len(begun) == 3:
            client_of(enrolled.vault).release(enrolled.authenticator.real)

    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = another_change_before_the_third
    with pytest.raises(BeginAgain):
        enrolled.client().add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    assert Rpc.ADD_CREDENTIAL not in enrolled.vault.calls
    assert enrolled.authenticator.prompts == 1, "nobody was asked to sign for nothing"


def test_passkey_is_added_in_mode_vault_held(tmp_path: Path) -> None:
    vault, memory = FakeVault(), FakeMemory()
    first, second = (
        InsecureSoftwareAuthenticator(state_path=tmp_path / name, has_prf=False) for name in ("first", "second")
    )
    enrolled = client_of(vault, memory=memory).enroll(first, user_name=ACCOUNT, mode=Mode.VAULT_HELD)
    client_of(vault, memory=memory).add_passkey(second, user_name=ACCOUNT, by=first)
    assert client_of(vault, memory=memory).release(second).identities() == (enrolled.backup_identity,)


def test_removed_passkey_opens_nothing_that_comes_after(
    enrolled: EnrolledDevice, further: CountingAuthenticator
) -> None:
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    old = client.release(further).identities()
    removed = client.remove_passkey(further, own)
    assert [archive.archive_version for archive in client.vault().archives] == [removed.archive_version]
    with pytest.raises(NoMatchingCredential):
        client.release(enrolled.authenticator)
    identities = client.release(further).identities()
    assert identities[1:] == old, "older archives still open"
    assert identities[0] not in old
    assert enrolled.memory.kept.archive_recipient == recipient_of(identities[0]), "backups use the fresh key at once"


def test_removed_passkey_has_no_place_in_the_new_envelope(
    enrolled: EnrolledDevice, further: CountingAuthenticator
) -> None:
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    client.remove_passkey(further, own)
    content = client.release(further).opened[0].content
    assert own not in {one.credential_id for one in content.passkey_recipients}


def test_last_passkey_is_removed_by_itself_and_the_recovery_key_is_left(tmp_path: Path) -> None:
    vault = FakeVault()
    passkey = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkey")
    client = client_of(vault)
    enrolled = client.enroll(passkey, user_name=ACCOUNT)
    client.remove_passkey(passkey, enrolled.credential_id)
    assert client.vault().passkeys == ()
    with pytest.raises(NoMatchingCredential, match="no passkey that may sign"):
        client.release(passkey)
    identities = client.release_with_recovery_key(enrolled.recovery_key).identities()
    assert identities[1:] == (enrolled.backup_identity,)


def test_removal_by_another_device_is_told(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    own = enrolled.client().vault().passkeys[0].credential_id
    enrolled.client().add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    client_of(enrolled.vault).remove_passkey(further, own)
    client = enrolled.client()
    client.vault()
    assert [(one.kind, one.credential_id) for one in client.notices] == [(NoticeKind.PASSKEY_REMOVED, own)]


def test_addition_by_another_device_is_told(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    added = client_of(enrolled.vault).add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator.real)
    told: list[Notice] = []
    client = client_of(enrolled.vault, memory=enrolled.memory, notify=told.append)
    client.release(enrolled.authenticator)
    client.release(enrolled.authenticator)
    assert [(one.kind, one.credential_id) for one in told] == [(NoticeKind.PASSKEY_ADDED, added.credential_id)]


def test_new_recovery_key_replaces_the_old_one(tmp_path: Path) -> None:
    vault = FakeVault()
    passkey = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkey")
    client = client_of(vault)
    enrolled = client.enroll(passkey, user_name=ACCOUNT)
    changed = client.set_recovery(passkey)
    identities = client.release_with_recovery_key(changed.recovery_key).identities()
    assert identities[1:] == (enrolled.backup_identity,), "older archives still open"
    assert client.memory.archive_recipient == recipient_of(identities[0]), (
        "the old key may have released the one before"
    )
    with pytest.raises(ReplyMismatch, match="not the one that the vault knows"):
        client.release_with_recovery_key(enrolled.recovery_key)
    assert client.memory.recovery_recipient == recipient_of(changed.recovery_key.age_identity())
    newest = vault.record.archives[0].envelope
    with pytest.raises(WrongPrf):
        open_envelope(newest, identity=enrolled.recovery_key.age_identity())


def test_given_recovery_key_is_the_one_that_counts(enrolled: EnrolledDevice) -> None:
    key = generate_recovery_key()
    assert enrolled.client().set_recovery(enrolled.authenticator, recovery_key=key).recovery_key == key
    assert enrolled.client().release_with_recovery_key(key).opened
    assert enrolled.authenticator.prompts == 2


def test_recovery_key_that_was_replaced_elsewhere_is_told(enrolled: EnrolledDevice) -> None:
    client_of(enrolled.vault).set_recovery(enrolled.authenticator.real)
    client = enrolled.client()
    client.release(enrolled.authenticator)
    assert [one.kind for one in client.notices] == [NoticeKind.RECOVERY_KEY_CHANGED]


def test_older_identities_of_every_released_envelope_are_kept(
    enrolled: EnrolledDevice, further: CountingAuthenticator
) -> None:
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    first = client.release(enrolled.authenticator).identities()
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    client.remove_passkey(further, own)
    client.set_recovery(further)
    identities = client.release(further).identities()
    assert identities[2:] == first
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("rpc", [Rpc.ADD_CREDENTIAL, Rpc.SET_RECOVERY, Rpc.REMOVE_CREDENTIAL])
def test_lost_answer_to_a_change_is_asked_for_again_with_the_same_bytes(
    enrolled: EnrolledDevice, further: CountingAuthenticator, rpc: Rpc
) -> None:
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    enrolled.front.lose[rpc] = 2
    client.add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)
    client.set_recovery(further)
    client.remove_passkey(further, own)
    sent = [request.SerializeToString() for called, request in enrolled.front.seen if called is rpc]
    assert (len(sent), len(set(sent))) == (3, 1)
