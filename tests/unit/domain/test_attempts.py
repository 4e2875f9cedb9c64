"""What is counted, how long the wait is, and when it is over, to the second."""

from __future__ import annotations

import pytest

from strongroom_service.domain.attempts import EMPTY_LEDGER, attempts_left, charge_failure, releases_left
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.records import VaultState
from tests.fakes.account import POLICY, RELEASE, STORE, WRONG, Account
from tests.fakes.clock import SECOND, START

MINUTE, HOUR, DAY = 60, 3_600, 86_400
LADDER = [0, 0, 0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 8 * HOUR, 24 * HOUR]


def waits(policy: Policy) -> list[int]:
    """The cool-down in seconds after each counted failure up to the one that ends the budget."""
    account = Account(policy=policy)
    account.enroll()
    measured = []
    for _ in range(policy.budget):
        account.fail()
        measured.append(max(0, account.held.ledger.cool_down_until - account.now) // SECOND)
    assert account.held.state is VaultState.EXHAUSTED
    return measured


def test_default_ladder_takes_thirty_three_hours_for_ten_attempts() -> None:
    assert waits(POLICY) == [*LADDER, 0]
    assert 33 * HOUR < sum(LADDER) < 34 * HOUR


def test_ladder_of_a_smaller_budget_ends_at_the_budget() -> None:
    assert waits(Policy(on_exhaustion=OnExhaustion.DESTROY, budget=5)) == [0, 0, 0, MINUTE, 0]


def test_ladder_of_a_larger_budget_repeats_its_last_rung() -> None:
    expected = [*LADDER, *[24 * HOUR] * 10, 0]
    assert waits(Policy(on_exhaustion=OnExhaustion.DESTROY, budget=20)) == expected


def test_budget_of_one_ends_with_the_first_failure() -> None:
    assert waits(Policy(on_exhaustion=OnExhaustion.DESTROY, budget=1)) == [0]


def test_request_in_a_cool_down_is_refused_unjudged_until_its_very_end() -> None:
    account = Account()
    account.enroll()
    account.fail(4)
    before = account.record
    account.wait(seconds=MINUTE - 1)
    with pytest.raises(Refusal) as caught:
        account.begin(RELEASE)
    assert (caught.value.reason, caught.value.retry_after_ms) == (Reason.COOLING_DOWN, 1_000)
    assert account.record == before
    account.wait(seconds=1)
    account.begin(RELEASE)


def test_ceremony_begun_before_a_cool_down_is_dead_in_it() -> None:
    account = Account()
    account.enroll()
    account.fail(3)
    earlier, fourth = account.begin(RELEASE), account.begin(RELEASE)
    account.complete(fourth, WRONG)
    with pytest.raises(Refusal) as caught:
        account.complete(earlier)
    assert caught.value.reason is Reason.BEGIN_AGAIN
    assert account.held.ledger.failures == 4


def test_clock_set_back_lengthens_a_cool_down_and_never_ends_it() -> None:
    account = Account()
    account.enroll()
    account.fail(4)
    account.wait(seconds=-10 * DAY)
    with pytest.raises(Refusal) as caught:
        account.begin(RELEASE)
    assert caught.value.retry_after_ms == (10 * DAY + MINUTE) * SECOND
    account.wait(seconds=10 * DAY + MINUTE)
    account.begin(RELEASE)


def test_success_sets_the_count_back() -> None:
    account = Account()
    account.enroll()
    account.fail(9)
    assert attempts_left(account.held.ledger, POLICY) == 1
    account.wait(seconds=DAY)
    account.complete(account.begin(STORE))
    assert (account.held.ledger.failures, account.held.ledger.cool_down_until) == (0, 0)
    assert attempts_left(account.held.ledger, POLICY) == 10


@pytest.mark.parametrize("violation", PolicyViolation)
def test_policy_violation_is_evented_and_neither_counted_nor_a_success(violation: PolicyViolation) -> None:
    account = Account()
    account.enroll()
    account.fail(2)
    ledger, version = account.held.ledger, account.held.version
    decided = account.complete(account.begin(RELEASE), PolicyViolated(violation=violation))
    assert decided is not None
    assert decided.refusal is not None
    assert (decided.refusal.reason, account.events[-1].reason) == (Reason.NOT_VERIFIED, violation.value)
    assert (account.held.ledger, account.held.version) == (ledger, version + 1)


def test_failures_left_are_never_negative() -> None:
    ledger = EMPTY_LEDGER
    for _ in range(12):
        ledger = charge_failure(ledger, POLICY, now=START)
    assert attempts_left(ledger, POLICY) == 0


def quota_used(*, releases: int = 3) -> Account:
    account = Account(policy=Policy(on_exhaustion=OnExhaustion.DESTROY, releases_per_day=releases))
    account.enroll()
    for _ in range(releases):
        account.complete(account.begin(RELEASE))
    return account


def seconds_to_next_day(now: Millis) -> int:
    return DAY - now // SECOND % DAY


def test_release_above_the_quota_waits_for_the_next_utc_day() -> None:
    account = quota_used()
    left = seconds_to_next_day(account.now)
    with pytest.raises(Refusal) as caught:
        account.begin(RELEASE)
    assert (caught.value.reason, caught.value.retry_after_ms) == (Reason.RELEASE_QUOTA, left * SECOND)
    account.wait(seconds=left - 1)
    with pytest.raises(Refusal):
        account.begin(RELEASE)
    account.wait(seconds=1)
    assert account.now // SECOND % DAY == 0
    account.complete(account.begin(RELEASE))
    assert releases_left(account.held.ledger, account.policy, now=account.now) == 2


def test_quota_is_looked_at_again_when_a_release_completes() -> None:
    account = quota_used(releases=1)
    account.wait(seconds=DAY)
    first, second = account.begin(RELEASE), account.begin(RELEASE)
    account.complete(first)
    with pytest.raises(Refusal):
        account.complete(second)
    assert account.held.ledger.releases == 1


def test_store_needs_no_quota() -> None:
    account = quota_used()
    account.complete(account.begin(STORE))


def test_clock_set_back_does_not_refill_the_quota() -> None:
    account = quota_used()
    account.wait(seconds=-DAY)
    with pytest.raises(Refusal) as caught:
        account.begin(RELEASE)
    assert caught.value.retry_after_ms == (seconds_to_next_day(START) + DAY) * SECOND
    assert releases_left(account.held.ledger, account.policy, now=account.now) == 0


def test_release_on_a_clock_set_back_counts_for_the_later_day() -> None:
    account = quota_used(releases=3)
    account.wait(seconds=DAY)
    account.complete(account.begin(RELEASE))
    account.wait(seconds=-DAY)
    account.complete(account.begin(RELEASE))
    account.wait(seconds=DAY)
    assert releases_left(account.held.ledger, account.policy, now=account.now) == 1


def test_failure_costs_no_release() -> None:
    account = Account()
    account.enroll()
    account.fail(2)
    assert releases_left(account.held.ledger, POLICY, now=account.now) == 20


def test_refused_release_costs_no_release() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(RELEASE), PolicyViolated(violation=PolicyViolation.ORIGIN))
    assert releases_left(account.held.ledger, POLICY, now=account.now) == 20
