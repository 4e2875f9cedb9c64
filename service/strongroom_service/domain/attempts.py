"""The attempt ledger: what is counted, when to wait, when it is over (docs/threat-model.md, promise 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.policy import OnExhaustion

if TYPE_CHECKING:
    from strongroom_service.domain.policy import Policy

CLOSED_SECONDS = 7 * 24 * 3600
"""How long a vault that locks is closed by the failure that used up its budget, and by each one after that."""

_SECOND = 1_000
_DAY = 24 * 3600 * _SECOND


@dataclass(frozen=True, slots=True)
class Ledger:
    """Attempts of one life of a record.

    `failures` are counted since the last success. `cool_down_until` is 0 or the time before which requests are refused
    unjudged. `releases` are counted for `release_day` (days since 1970, UTC), which never goes back: a clock set back
    does not refill the quota.
    """

    failures: int
    cool_down_until: Millis
    release_day: int
    releases: int


EMPTY_LEDGER = Ledger(failures=0, cool_down_until=Millis(0), release_day=0, releases=0)


def check_cool_down(ledger: Ledger, policy: Policy, *, now: Millis) -> None:
    """Refuse, unjudged, while a cool-down lasts or the vault is closed.

    Raises:
        Refusal: COOLING_DOWN or VAULT_CLOSED, with the time left.
    """
    if now < ledger.cool_down_until:
        reason = Reason.VAULT_CLOSED if is_exhausted(ledger, policy) else Reason.COOLING_DOWN
        raise Refusal(reason, retry_after_ms=ledger.cool_down_until - now)


def check_release_quota(ledger: Ledger, policy: Policy, *, now: Millis) -> None:
    """Refuse, unjudged, a release above the day's quota.

    Raises:
        Refusal: RELEASE_QUOTA, with the time until the next UTC day.
    """
    if releases_left(ledger, policy, now=now) == 0:
        next_day_at = (max(ledger.release_day, now // _DAY) + 1) * _DAY
        raise Refusal(Reason.RELEASE_QUOTA, retry_after_ms=next_day_at - now)


def releases_left(ledger: Ledger, policy: Policy, *, now: Millis) -> int:
    """Return how many releases the day still allows."""
    used = ledger.releases if now // _DAY <= ledger.release_day else 0
    return max(0, policy.releases_per_day - used)


def attempts_left(ledger: Ledger, policy: Policy) -> int:
    """Return how many counted failures are left until the record is exhausted."""
    return max(0, policy.budget - ledger.failures)


def charge_failure(ledger: Ledger, policy: Policy, *, now: Millis) -> Ledger:
    """Count one wrong signature and start the cool-down that follows it.

    At the budget a vault that locks is closed; one that destroys needs no time, as nothing is left to open. The count
    stops at the budget, where a closed vault stays until a good assertion. While it is closed the recovery credential
    alone is judged, and its failures move nothing: else whoever holds a login could keep a vault closed for ever.
    """
    if is_exhausted(ledger, policy) and now < ledger.cool_down_until:
        return ledger
    failures = min(ledger.failures + 1, policy.budget)
    seconds = policy.cool_down_after(failures)
    if failures == policy.budget and policy.on_exhaustion is OnExhaustion.LOCK:
        seconds = CLOSED_SECONDS
    until = Millis(now + seconds * _SECOND) if seconds else Millis(0)
    return replace(ledger, failures=failures, cool_down_until=until)


def is_exhausted(ledger: Ledger, policy: Policy) -> bool:
    """Tell whether the budget is used up; a record that is live all the same is closed."""
    return attempts_left(ledger, policy) == 0


def settle_success(ledger: Ledger) -> Ledger:
    """A right signature of a permitted credential: the count starts again."""
    return replace(ledger, failures=0, cool_down_until=Millis(0))


def count_release(ledger: Ledger, *, now: Millis) -> Ledger:
    """Count one release for its day."""
    day = now // _DAY
    if day <= ledger.release_day:
        return replace(ledger, releases=ledger.releases + 1)
    return replace(ledger, release_day=day, releases=1)
