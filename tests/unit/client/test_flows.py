"""What the operations do against an honest vault, over ways that lose answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_client.authenticators.port import AuthenticatorError, NoMatchingCredential
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.envelope import WrongPrf
from strongroom_client.errors import (
    BeginAgain,
    NoVault,
    OutcomeUnknown,
    ReplyMismatch,
    UnpinnedVault,
    VaultExists,
)
from strongroom_client.recovery_key import generate_recovery_key
from strongroom_client.steps import Rpc
from strongroom_client.verification.receipts import ReceiptFor
from tests.fakes.client import CountingAuthenticator, FakeMemory, client_of
from tests.fakes.front import CheatingFront
from tests.fakes.vault import ACCOUNT, FakeVault


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
def authenticator(tmp_path: Path) -> CountingAuthenticator:
    return CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"))


def test_enrollment_ends_with_an_opened_envelope_after_three_prompts(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    memory = FakeMemory()
    client = client_of(vault, memory=memory)
    enrolled = client.enroll(authenticator, user_name=ACCOUNT)
    assert authenticator.prompts == 3
    assert memory.kept.opened_archive_version == enrolled.archive_version == 2
    assert memory.kept.archive_recipient == enrolled.archive_recipient
    assert memory.kept.recovery_recipient == enrolled.recovery_recipient
    assert (memory.kept.position.version, memory.kept.position.chain_head) == (3, vault.record.head)
    kept = [receipt.receipt_for for receipt in memory.about_the_record]
    assert kept == [ReceiptFor.REGISTER, ReceiptFor.STORE, ReceiptFor.RELEASE, ReceiptFor.GET_VAULT]


def test_next_request_confirms_the_opened_version(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    assert not vault.record.archives[0].confirmed
    assert client.release(authenticator).opened[0].confirmed


def test_second_device_releases_with_the_same_passkey(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    enrolled = client_of(vault).enroll(authenticator, user_name=ACCOUNT)
    memory = FakeMemory()
    released = client_of(vault, memory=memory).release(authenticator)
    assert released.identities() == (enrolled.backup_identity,)
    assert memory.kept.archive_recipient == enrolled.archive_recipient


def test_recovery_key_releases_without_a_prompt(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    enrolled = client.enroll(authenticator, user_name=ACCOUNT)
    released = client.release_with_recovery_key(enrolled.recovery_key)
    assert released.identities() == (enrolled.backup_identity,)
    assert authenticator.prompts == 3


def test_stored_envelope_is_released_with_the_confirmed_older_one(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    content = client.release(authenticator).opened[0].content
    stored = client.store_envelope(authenticator, content)
    assert [one.archive_version for one in client.release(authenticator).opened] == [stored.archive_version, 2]


def test_envelope_that_this_passkey_does_not_open_is_not_sent(vault: FakeVault, tmp_path: Path) -> None:
    real = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys")
    authenticator = CountingAuthenticator(real, spoil_prf={5: b"x" * 32})
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    content = client.release(authenticator).opened[0].content
    with pytest.raises(WrongPrf):
        client.store_envelope(authenticator, content)
    assert vault.calls[-1] is Rpc.BEGIN_CEREMONY


def test_deleted_vault_is_forgotten_but_for_its_version(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    client.delete(authenticator)
    assert client.memory.archive_recipient is None
    assert client.memory.position.version == 4
    assert client.vault().state == "deleted"
    with pytest.raises(NoVault):
        client.release(authenticator)
    assert client.enroll(authenticator, user_name=ACCOUNT).archive_version == 6


def test_history_is_read_over_all_pages(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    assert [(event.version, event.kind) for event in client.history()] == [
        (3, "release"),
        (2, "store"),
        (1, "register"),
    ]
    assert vault.calls.count(Rpc.LIST_EVENTS) == 2


def test_account_without_a_vault_has_state_none_and_no_history(vault: FakeVault) -> None:
    client = client_of(vault)
    assert client.vault().state == "none"
    assert client.history() == ()


def test_second_enrollment_is_refused(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    with pytest.raises(VaultExists):
        client.enroll(authenticator, user_name=ACCOUNT)
    assert authenticator.prompts == 3


@pytest.mark.parametrize("rpc", [Rpc.COMPLETE_REGISTRATION, Rpc.STORE_ENVELOPE, Rpc.RELEASE_ENVELOPE])
def test_lost_answer_is_asked_for_again_with_the_same_bytes_and_no_prompt(
    vault: FakeVault, authenticator: CountingAuthenticator, rpc: Rpc
) -> None:
    front, pauses = CheatingFront(vault, lose={rpc: 2}), list[float]()
    client_of(vault, connection=front, pauses=pauses).enroll(authenticator, user_name=ACCOUNT)
    sent = [request.SerializeToString() for called, request in front.seen if called is rpc]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert authenticator.prompts == 3
    assert len(pauses) == 2


def test_outcome_is_reported_as_unknown_when_every_answer_is_lost(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    front = CheatingFront(vault, lose={Rpc.STORE_ENVELOPE: 99})
    with pytest.raises(OutcomeUnknown):
        client_of(vault, connection=front).enroll(authenticator, user_name=ACCOUNT)
    assert vault.calls.count(Rpc.STORE_ENVELOPE) == 4


def test_lost_answer_is_not_asked_for_after_the_ceremony_ended(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    def time_passes(_: object) -> None:
        vault.now += 120_000

    front = CheatingFront(vault, spoil_requests={Rpc.STORE_ENVELOPE: time_passes}, lose={Rpc.STORE_ENVELOPE: 99})
    with pytest.raises(OutcomeUnknown):
        client_of(vault, connection=front).enroll(authenticator, user_name=ACCOUNT)
    assert vault.calls.count(Rpc.STORE_ENVELOPE) == 2


def test_release_begins_again_once_when_another_change_came_between(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    client_of(vault).enroll(authenticator, user_name=ACCOUNT)
    races = [True, False]

    def another_change(_: object) -> None:
        if races.pop(0):
            client_of(vault).release(authenticator.real)

    front = CheatingFront(vault, spoil_requests={Rpc.RELEASE_ENVELOPE: another_change})
    client_of(vault, connection=front).release(authenticator)
    assert authenticator.prompts == 5


def test_release_does_not_begin_again_twice(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client_of(vault).enroll(authenticator, user_name=ACCOUNT)
    front = CheatingFront(
        vault, spoil_requests={Rpc.RELEASE_ENVELOPE: lambda _: void(client_of(vault).release(authenticator.real))}
    )
    with pytest.raises(BeginAgain):
        client_of(vault, connection=front).release(authenticator)
    assert authenticator.prompts == 5


def void(_: object) -> None:
    """Drop a result."""


def test_unpinned_vault_works_in_prf_mode_when_it_was_said(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    client_of(vault, pinned=False).enroll(authenticator, user_name=ACCOUNT)


def test_vault_that_was_pinned_is_not_used_unpinned_again(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    memory = FakeMemory()
    client_of(vault, memory=memory).service_info()
    with pytest.raises(UnpinnedVault):
        client_of(vault, memory=memory, pinned=False)


def test_passkey_of_another_account_signs_nothing(
    vault: FakeVault, authenticator: CountingAuthenticator, tmp_path: Path
) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    with pytest.raises(NoMatchingCredential):
        client.release(InsecureSoftwareAuthenticator(state_path=tmp_path / "other"))


def test_another_recovery_key_is_noticed_before_it_signs(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    with pytest.raises(ReplyMismatch, match="not the one that the vault knows"):
        client.release_with_recovery_key(generate_recovery_key())
    assert vault.calls[-1] is Rpc.BEGIN_CEREMONY


def test_nothing_secret_is_shown_by_repr(vault: FakeVault, authenticator: CountingAuthenticator) -> None:
    client = client_of(vault)
    enrolled = client.enroll(authenticator, user_name=ACCOUNT)
    released = client.release(authenticator)
    for shown in (repr(enrolled), repr(released), repr(client.memory)):
        assert enrolled.recovery_key.seed.hex() not in shown
        assert repr(enrolled.backup_identity.secret) not in shown


def test_signature_by_a_passkey_that_the_vault_does_not_have_is_not_sent(
    vault: FakeVault, authenticator: CountingAuthenticator
) -> None:
    client = client_of(vault)
    client.enroll(authenticator, user_name=ACCOUNT)
    authenticator.claim_credential = b"another"
    with pytest.raises(AuthenticatorError, match="does not have"):
        client.release(authenticator)
    assert vault.calls[-1] is Rpc.BEGIN_CEREMONY
