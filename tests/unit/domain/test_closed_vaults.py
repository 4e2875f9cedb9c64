"""A vault that locks: closed for seven days at its budget, and what opens it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.attempts import CLOSED_SECONDS
from strongroom_service.domain.ceremonies import Operation, Parameters
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.policy import Policy
from strongroom_service.domain.records import VaultState
from tests.fakes.account import (
    ADD,
    DELETE,
    GOOD,
    LOCKING,
    POLICY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REMOVE,
    REOPEN_CLOSED,
    SET_RECOVERY,
    STORE,
    WRONG,
    Account,
)
from tests.unit.domain.refusing import invalid, refused

WEEK = 7 * 86_400


def closed_vault() -> Account:
    """Its tenth failure was counted this very moment."""
    account = Account(policy=LOCKING)
    account.enroll(confirm=True)
    account.fail(10)
    return account


def test_budget_used_up_closes_for_seven_days_and_keeps_everything() -> None:
    account = Account(policy=LOCKING)
    account.enroll(confirm=True)
    before = account.held
    account.fail(10)
    record = account.held
    assert (record.state, record.ledger.failures) == (VaultState.LIVE, 10)
    assert record.ledger.cool_down_until - account.now == 1_000 * WEEK
    assert (record.credentials, record.archives, record.recovery_public_key) == (
        before.credentials,
        before.archives,
        before.recovery_public_key,
    )
    assert (account.events[-1].outcome, account.events[-1].failures) == (Outcome.EXHAUSTED, 10)


def test_failure_before_the_last_is_no_exhaustion() -> None:
    account = Account(policy=LOCKING)
    account.enroll()
    account.fail(9)
    assert [event.outcome for event in account.events[2:]] == [Outcome.FAILED] * 9
    assert account.held.ledger.cool_down_until - account.now == 86_400_000


@pytest.mark.parametrize(
    "parameters", [RELEASE, STORE, DELETE, SET_RECOVERY, REMOVE, ADD], ids=lambda each: type(each).__name__
)
def test_closed_vault_refuses_every_request_unjudged_until_its_time(parameters: Parameters) -> None:
    account = closed_vault()
    with refused(account, Reason.VAULT_CLOSED, seconds=WEEK):
        account.begin(parameters)
    account.wait(seconds=WEEK - 1)
    with refused(account, Reason.VAULT_CLOSED, seconds=1):
        account.begin(parameters)


def test_ceremony_from_before_the_last_failure_is_dead() -> None:
    account = Account(policy=LOCKING)
    account.enroll()
    account.fail(9)
    account.wait(seconds=86_400)
    waiting = account.begin(RELEASE)
    account.complete(account.begin(RELEASE), WRONG)
    with refused(account, Reason.BEGIN_AGAIN):
        account.complete(waiting)
    forged = replace(waiting, version=account.held.version, chain_head=account.held.chain_head)
    with refused(account, Reason.VAULT_CLOSED):
        account.complete(forged)


def test_after_its_time_one_good_assertion_reopens() -> None:
    account = closed_vault()
    account.wait(seconds=WEEK)
    account.complete(account.begin(RELEASE))
    assert (account.held.ledger.failures, account.held.ledger.cool_down_until) == (0, 0)
    account.complete(account.begin(RELEASE))


def test_after_its_time_one_wrong_signature_closes_for_seven_more_days() -> None:
    account = closed_vault()
    account.wait(seconds=WEEK)
    account.complete(account.begin(RELEASE), WRONG)
    assert (account.held.ledger.failures, account.events[-1].outcome) == (10, Outcome.EXHAUSTED)
    with refused(account, Reason.VAULT_CLOSED, seconds=WEEK):
        account.begin(RELEASE)


def test_count_never_goes_beyond_the_budget() -> None:
    account = closed_vault()
    for _ in range(3):
        account.fail()
        assert account.held.ledger.failures == 10
        assert account.events[-1].failures == 10


def test_right_signature_that_breaks_the_policy_neither_reopens_nor_closes() -> None:
    account = closed_vault()
    account.wait(seconds=WEEK)
    ledger = account.held.ledger
    account.complete(account.begin(RELEASE), PolicyViolated(violation=PolicyViolation.ORIGIN))
    assert account.held.ledger == ledger
    account.begin(RELEASE)


def test_recovery_credential_reopens_at_any_time() -> None:
    account = closed_vault()
    account.complete(account.begin(REOPEN_CLOSED), RecoveryVerified(), credential_id=RECOVERY)
    assert (account.held.ledger.failures, account.held.ledger.cool_down_until) == (0, 0)
    assert account.events[-1].operation is Operation.REOPEN
    assert not account.events[-1].about_set_aside
    account.complete(account.begin(RELEASE))


def test_passkey_does_not_reopen_before_its_time_and_does_after() -> None:
    account = closed_vault()
    with refused(account, Reason.VAULT_CLOSED, seconds=WEEK):
        account.complete(account.begin(REOPEN_CLOSED))
    account.wait(seconds=WEEK - 1)
    with refused(account, Reason.VAULT_CLOSED, seconds=1):
        account.complete(account.begin(REOPEN_CLOSED))
    account.wait(seconds=1)
    account.complete(account.begin(REOPEN_CLOSED))
    assert account.held.ledger.failures == 0


def test_wrong_recovery_signature_while_closed_is_in_the_history_and_moves_nothing() -> None:
    """Whoever has a login knows the public key: guesses that lengthened the closing would keep it closed for ever."""
    account = closed_vault()
    account.wait(seconds=WEEK - 1)
    account.complete(account.begin(REOPEN_CLOSED), WRONG, credential_id=RECOVERY)
    assert (account.held.ledger.failures, account.events[-1].outcome) == (10, Outcome.EXHAUSTED)
    with refused(account, Reason.VAULT_CLOSED, seconds=1):
        account.begin(RELEASE)
    account.wait(seconds=1)
    account.complete(account.begin(REOPEN_CLOSED), WRONG, credential_id=RECOVERY)
    with refused(account, Reason.VAULT_CLOSED, seconds=WEEK):
        account.begin(RELEASE)


def test_reopening_needs_something_that_is_closed() -> None:
    account = Account(policy=LOCKING)
    account.enroll()
    account.fail(9)
    with invalid(account, "request.reopen.target"):
        account.begin(REOPEN_CLOSED)


def test_reopened_vault_counts_from_nothing() -> None:
    account = closed_vault()
    account.complete(account.begin(REOPEN_CLOSED), RecoveryVerified(), credential_id=RECOVERY)
    account.fail(10)
    assert [event.outcome for event in account.events[-10:]] == [Outcome.FAILED] * 9 + [Outcome.EXHAUSTED]


def test_reopening_does_not_refill_the_days_releases() -> None:
    account = Account(policy=replace(LOCKING, releases_per_day=1, cool_down_seconds=()))
    account.enroll()
    account.complete(account.begin(RELEASE))
    account.fail(10, asking=STORE)
    account.complete(account.begin(REOPEN_CLOSED), RecoveryVerified(), credential_id=RECOVERY)
    with refused(account, Reason.RELEASE_QUOTA):
        account.begin(RELEASE)


@pytest.mark.parametrize("policy", [LOCKING, POLICY], ids=["lock", "destroy"])
def test_exhaustion_drops_every_grant_whatever_follows_it(policy: Policy) -> None:
    account = Account(policy=replace(policy, budget=1))
    account.enroll()
    account.complete(account.begin(RELEASE), GOOD)
    account.complete(account.begin(RELEASE), WRONG)
    assert account.held.grants == ()


def test_closing_is_of_seven_days() -> None:
    assert CLOSED_SECONDS == WEEK


def test_inert_vault_that_is_closed_is_registered_anew() -> None:
    account = Account(policy=replace(LOCKING, cool_down_seconds=()))
    account.complete(account.begin(REGISTER))
    account.fail(10, asking=STORE)
    with refused(account, Reason.VAULT_CLOSED):
        account.begin(STORE)
    account.complete(account.begin(REGISTER))
    assert account.held.ledger.failures == 0
