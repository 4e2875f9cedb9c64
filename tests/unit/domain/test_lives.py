"""Lives of a record: registration, exhaustion, deletion; versions that never restart, limits that are the record's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Mode, Operation, Parameters
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.preconditions import check_live
from strongroom_service.domain.records import VaultState, head_of, version_of
from tests.fakes.account import (
    DELETE,
    OTHER_PASSKEY,
    PASSKEY,
    POLICY,
    RECOVERY,
    REGISTER,
    RELEASE,
    STORE,
    WRONG,
    Account,
)


def reason_of(account: Account, parameters: Parameters) -> Reason:
    with pytest.raises(Refusal) as caught:
        account.begin(parameters)
    return caught.value.reason


def test_registration_is_inert_until_the_first_store() -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    assert (account.held.state, account.held.version, account.held.life) == (VaultState.INERT, 1, 1)
    assert account.held.effective_recovery_public_key == b""
    assert reason_of(account, RELEASE) is Reason.NO_VAULT
    account.complete(account.begin(STORE))
    assert (account.held.state, account.held.version) == (VaultState.LIVE, 2)
    assert account.held.effective_recovery_public_key == RECOVERY


def test_registration_replaces_an_inert_one() -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    account.complete(account.begin(STORE), WRONG)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    assert [each.credential_id for each in account.held.credentials] == [OTHER_PASSKEY]
    assert (account.held.version, account.held.life, account.held.ledger.failures) == (3, 2, 0)


def test_registration_of_a_live_vault_is_refused_at_both_ends() -> None:
    account = Account()
    stale = account.begin(REGISTER)
    account.enroll()
    assert reason_of(account, REGISTER) is Reason.VAULT_EXISTS
    with pytest.raises(Refusal) as caught:
        account.complete(stale)
    assert caught.value.reason is Reason.BEGIN_AGAIN
    forged = replace(stale, version=account.held.version, chain_head=head_of(account.record))
    with pytest.raises(Refusal) as caught:
        check_live(account.record, forged, now=account.now)
    assert caught.value.reason is Reason.VAULT_EXISTS


@pytest.mark.parametrize("parameters", [STORE, RELEASE, DELETE], ids=lambda each: type(each).__name__)
def test_nothing_but_a_registration_begins_without_a_vault(parameters: Parameters) -> None:
    account = Account()
    assert reason_of(account, parameters) is Reason.NO_VAULT
    account.enroll()
    account.complete(account.begin(DELETE))
    assert reason_of(account, parameters) is Reason.NO_VAULT


@pytest.mark.parametrize("parameters", [STORE, RELEASE, DELETE], ids=lambda each: type(each).__name__)
def test_exhausted_vault_says_so(parameters: Parameters) -> None:
    account = Account()
    account.enroll()
    account.fail(10)
    assert reason_of(account, parameters) is Reason.VAULT_EXHAUSTED


def test_exhaustion_destroys_everything_in_the_step_of_the_last_failure() -> None:
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.fail(9)
    assert len(account.held.archives) == 2
    account.wait(seconds=86_400)
    version = account.held.version
    decided = account.complete(account.begin(RELEASE), WRONG)
    assert decided is not None
    record = decided.record
    assert (record.state, record.version) == (VaultState.EXHAUSTED, version + 1)
    assert (record.credentials, record.archives, record.grants, record.recovery_public_key) == ((), (), (), b"")
    assert (decided.event.outcome, decided.event.failures) == (Outcome.EXHAUSTED, 10)
    assert decided.refusal is not None
    assert decided.refusal.reason is Reason.NOT_VERIFIED


def test_failure_before_the_last_destroys_nothing() -> None:
    account = Account()
    account.enroll()
    credentials, archives = account.held.credentials, account.held.archives
    account.fail(9)
    assert (account.held.state, account.held.credentials, account.held.archives) == (
        VaultState.LIVE,
        credentials,
        archives,
    )


@pytest.mark.parametrize("end", ["exhaustion", "deletion"])
def test_next_life_continues_the_versions_of_the_last(end: str) -> None:
    account = Account()
    account.enroll()
    if end == "exhaustion":
        account.fail(10)
    else:
        account.complete(account.begin(DELETE))
    version, head = version_of(account.record), head_of(account.record)
    assert version == (12 if end == "exhaustion" else 3)
    statement = account.begin(REGISTER)
    assert (statement.version, statement.chain_head) == (version, head)
    account.complete(statement, credential_id=OTHER_PASSKEY)
    assert (account.held.version, account.held.life, account.held.state) == (version + 1, 2, VaultState.INERT)
    assert (account.held.ledger.failures, account.held.archives) == (0, ())
    assert [each.credential_id for each in account.held.credentials] == [OTHER_PASSKEY]


def test_deletion_leaves_a_tombstone_with_version_and_nothing_to_open() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(DELETE))
    record = account.held
    assert (record.state, record.version, record.life) == (VaultState.DELETED, 3, 1)
    assert (record.credentials, record.archives, record.recovery_public_key) == ((), (), b"")


def test_inert_vault_can_be_deleted() -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    account.complete(account.begin(DELETE))
    assert account.held.state is VaultState.DELETED


def test_failed_deletion_deletes_nothing() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(DELETE), WRONG)
    assert (account.held.state, len(account.held.archives), account.held.ledger.failures) == (VaultState.LIVE, 1, 1)


def test_limits_are_those_of_the_enrollment_whatever_the_tenant_says_later() -> None:
    account = Account(policy=Policy(on_exhaustion=OnExhaustion.DESTROY, budget=2, releases_per_day=1))
    account.enroll()
    account.policy = Policy(on_exhaustion=OnExhaustion.DESTROY, budget=100, releases_per_day=1_000)
    account.complete(account.begin(RELEASE))
    assert reason_of(account, RELEASE) is Reason.RELEASE_QUOTA
    account.complete(account.begin(STORE), WRONG)
    account.complete(account.begin(STORE), WRONG)
    assert account.held.state is VaultState.EXHAUSTED
    account.complete(account.begin(REGISTER))
    assert account.held.policy.budget == 100


def test_first_store_is_in_the_mode_chosen_at_registration() -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    with pytest.raises(InvalidField) as caught:
        account.begin(replace(STORE, mode=Mode.VAULT_HELD))
    assert caught.value.field == "request.store.mode"


def test_mode_is_chosen_by_the_registration() -> None:
    account = Account()
    account.complete(account.begin(replace(REGISTER, mode=Mode.VAULT_HELD)))
    assert account.held.mode is Mode.VAULT_HELD
    with pytest.raises(InvalidField):
        account.begin(STORE)
    account.begin(replace(STORE, mode=Mode.VAULT_HELD))


def test_ceremony_dies_with_the_first_judged_attempt_of_any_other() -> None:
    account = Account()
    account.enroll()
    used, other = account.begin(RELEASE), account.begin(STORE)
    account.complete(used, WRONG)
    for ceremony in (used, other):
        with pytest.raises(Refusal) as caught:
            account.complete(ceremony)
        assert caught.value.reason is Reason.BEGIN_AGAIN
    assert account.held.ledger.failures == 1


def test_ceremony_of_the_same_version_in_another_history_is_dead() -> None:
    account, fork = Account(), Account()
    account.enroll()
    fork.enroll()
    fork.record = replace(fork.held, chain_head=bytes(32))
    with pytest.raises(Refusal) as caught:
        account.complete(fork.begin(RELEASE))
    assert caught.value.reason is Reason.BEGIN_AGAIN


@pytest.mark.parametrize(("parameters", "seconds"), [(REGISTER, 300), (STORE, 120), (RELEASE, 120), (DELETE, 120)])
def test_ceremony_ends_to_the_second(parameters: Parameters, seconds: int) -> None:
    account = Account()
    if parameters is not REGISTER:
        account.enroll()
    ceremony = account.begin(parameters)
    account.wait(seconds=seconds)
    before = account.record
    with pytest.raises(Refusal) as caught:
        account.complete(ceremony)
    assert (caught.value.reason, account.record) == (Reason.CEREMONY_EXPIRED, before)
    account.wait(seconds=-1)
    assert account.complete(ceremony) is not None


def test_event_of_each_change_names_its_version_outcome_and_count() -> None:
    account = Account()
    account.enroll()
    account.fail(2)
    account.complete(account.begin(RELEASE))
    account.complete(account.begin(DELETE))
    told = [(event.version, event.operation, event.outcome, event.failures) for event in account.events]
    assert told == [
        (1, Operation.REGISTER, Outcome.GRANTED, 0),
        (2, Operation.STORE, Outcome.GRANTED, 0),
        (3, Operation.RELEASE, Outcome.FAILED, 1),
        (4, Operation.RELEASE, Outcome.FAILED, 2),
        (5, Operation.RELEASE, Outcome.GRANTED, 0),
        (6, Operation.DELETE, Outcome.GRANTED, 0),
    ]
    assert [event.archive_versions for event in account.events] == [(), (2,), (), (), (2,), ()]


def test_success_keeps_what_was_signed_about_the_credential() -> None:
    account = Account()
    account.enroll()
    assert account.held.credentials[0].last_used_at == account.now
    account.wait(seconds=5)
    account.complete(account.begin(RELEASE), WRONG)
    assert account.held.credentials[0].last_used_at == account.now - 5_000
    assert account.held.credentials[0].credential_id == PASSKEY
    assert account.held.policy == POLICY
