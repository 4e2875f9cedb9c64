"""What a campaign's histories amount to, counted exactly: promises broken, each with the line that says which.

Counted are what the promises name (docs/threat-model.md): what was acknowledged and is not in the record, what was
judged beyond the limits, and what was released without a committed event. An outcome that nobody was told may be in
the record or not: it is counted as unknown and held against nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_service.domain.policy import FIRST_COOL_DOWN_FAILURE
from tests.campaign.history import Call
from tests.integration.faults.checker import Chain, Evidence, Fulfilled, Outcome, complaints

_TAG_BYTES = 32
_MILLIS = 1_000
FAILED = frozenset({event_pb2.EVENT_OUTCOME_FAILED, event_pb2.EVENT_OUTCOME_EXHAUSTED})
# What else a client may be told while the service is struck; all else is trouble taken for something it is not.
EXPECTED = frozenset(
    {
        "",
        "NOT_VERIFIED",
        "BEGIN_AGAIN",
        "CEREMONY_EXPIRED",
        "NO_VAULT",
        "VAULT_EXISTS",
        "VAULT_EXHAUSTED",
        "COOLING_DOWN",
        "RELEASE_QUOTA",
        "BUSY",
        "UNAVAILABLE",
        "OUTCOME_UNKNOWN",
        "DEADLINE_EXCEEDED",
        "CANCELLED",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the tenant's policy allows.

    Attributes:
        cool_down_seconds: the one rung that every cool-down of the campaign has; 0 for none.
        days: UTC days that the run touched, by a clock that nobody set.
        clock_tolerance_seconds: how much earlier a cool-down may end by a clock that somebody did set.
        clock_is_true: nobody set the keepers' clock, so the times of their events count.
    """

    budget: int
    cool_down_seconds: float
    releases_per_day: int
    days: int = 1
    clock_tolerance_seconds: float = 0.0
    clock_is_true: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left when all is over. `histories`: as signed for each account, oldest first; `log`: the keepers'."""

    histories: Mapping[str, Sequence[event_pb2.Event]]
    chains: Mapping[bytes, Chain]
    fulfilled: Sequence[Fulfilled]
    released: frozenset[tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The counts, and why."""

    acknowledged: int
    unknown: int
    acknowledged_lost: tuple[str, ...]
    budget_exceeded: tuple[str, ...]
    released_without_commit: tuple[str, ...]
    otherwise: tuple[str, ...]


def find(calls: Sequence[Call], remains: Remains, limits: Limits, *, expected: frozenset[str] = EXPECTED) -> Finding:
    """Hold what clients were told against what is on record."""
    completions = [call for call in calls if call.completes]
    by_account: dict[str, list[Call]] = defaultdict(list)
    for call in completions:
        by_account[call.account].append(call)
    exceeded: list[str] = []
    for account, history in remains.histories.items():
        exceeded += _over_budget(account, by_account[account], history, limits)
        exceeded += _inside_cool_down(account, by_account[account], history, limits)
        exceeded += _over_quota(account, history, limits)
    return Finding(
        acknowledged=sum(call.outcome in {Outcome.ACKED, Outcome.REFUSED} for call in completions),
        unknown=sum(call.outcome is Outcome.UNKNOWN for call in completions),
        acknowledged_lost=tuple(_lost(completions, remains)),
        budget_exceeded=tuple(exceeded),
        released_without_commit=tuple(_uncommitted_releases(completions, remains)),
        otherwise=tuple(_otherwise(calls, completions, remains, limits, expected)),
    )


def read_released(log: Path) -> frozenset[tuple[int, bytes]]:
    """Return version and head of every release in the keepers' log."""
    lines = [line.split() for line in log.read_text(encoding="ascii").splitlines()]
    return frozenset(
        (int(version), bytes.fromhex(head)) for _, operation, _, version, head in lines if operation == "release"
    )


def _lost(completions: Sequence[Call], remains: Remains) -> Iterator[str]:
    """What was acknowledged must be in its account's history by version, head and ceremony; a verdict by ceremony."""
    seen: set[tuple[str, bytes, int, bytes]] = set()
    for call in completions:
        key = (call.account, call.ceremony, call.version, call.head)
        if call.outcome not in {Outcome.ACKED, Outcome.REFUSED} or key in seen:
            continue
        seen.add(key)
        history = remains.histories.get(call.account, ())
        if call.outcome is Outcome.ACKED:
            stands = any(
                (event.version, event.chain_head, event.ceremony) == (call.version, call.head, call.ceremony)
                for event in history[call.version - 1 : call.version]
            )
        else:
            stands = any(event.ceremony == call.ceremony for event in history)
        if not stands:
            yield f"acknowledged and lost: {call.account}, {call.rpc}, version {call.version}, told {call.told or 'OK'}"


def _over_budget(
    account: str, completions: Sequence[Call], history: Sequence[event_pb2.Event], limits: Limits
) -> Iterator[str]:
    """Count wrong signatures that were judged, recorded or not: a verdict that was told was judged.

    One that is not on record stands where its ceremony began: before what made the next version.
    """
    recorded = {event.ceremony for event in history}
    forgotten = {
        call.ceremony
        for call in completions
        if call.outcome is Outcome.REFUSED and not call.good and call.ceremony not in recorded
    }
    judged = [(float(event.version), event) for event in history]
    judged += [(_version_begun_at(ceremony) + 0.5, event_pb2.Event()) for ceremony in forgotten]
    failures = 0
    for version, event in sorted(judged, key=lambda each: each[0]):
        granted = event.outcome == event_pb2.EVENT_OUTCOME_GRANTED
        if granted and event.kind == event_pb2.EVENT_KIND_REGISTER:
            failures = 0
        elif failures >= limits.budget:
            yield f"judged beyond the budget: {account}, version {version}, failures {failures}"
        if granted:
            failures = 0
        elif event.outcome in FAILED or not event.version:
            failures += 1


def _inside_cool_down(
    account: str, completions: Sequence[Call], history: Sequence[event_pb2.Event], limits: Limits
) -> Iterator[str]:
    """A cool-down begins when a failure is judged, not before it was sent; the next was judged before its answer."""
    sent: dict[bytes, float] = {}
    answered: dict[bytes, float] = {}
    for call in sorted(completions, key=lambda call: call.began_at):
        sent.setdefault(call.ceremony, call.began_at)
        if call.outcome in {Outcome.ACKED, Outcome.REFUSED}:
            answered[call.ceremony] = min(call.ended_at, answered.get(call.ceremony, call.ended_at))
    for failure, following in pairwise(history):
        cools = failure.outcome == event_pb2.EVENT_OUTCOME_FAILED and failure.failures >= FIRST_COOL_DOWN_FAILURE
        if not cools or not limits.cool_down_seconds:
            continue
        waited = (following.event_time.ToMilliseconds() - failure.event_time.ToMilliseconds()) / _MILLIS
        if limits.clock_is_true and waited < limits.cool_down_seconds:
            yield f"judged inside a cool-down: {account}, version {following.version}, {waited} s by the keeper"
            continue
        if failure.ceremony in sent and following.ceremony in answered:
            most = answered[following.ceremony] - sent[failure.ceremony]
            if most < limits.cool_down_seconds - limits.clock_tolerance_seconds:
                yield f"judged inside a cool-down: {account}, version {following.version}, {most:.3f} s at most"


def _over_quota(account: str, history: Sequence[event_pb2.Event], limits: Limits) -> Iterator[str]:
    """A life's quota, times the days that there truly were."""
    released = 0
    for event in history:
        if event.outcome != event_pb2.EVENT_OUTCOME_GRANTED:
            continue
        if event.kind == event_pb2.EVENT_KIND_REGISTER:
            released = 0
        released += event.kind == event_pb2.EVENT_KIND_RELEASE
        if event.kind == event_pb2.EVENT_KIND_RELEASE and released > limits.releases_per_day * limits.days:
            yield f"released beyond the quota: {account}, version {event.version}"


def _uncommitted_releases(completions: Sequence[Call], remains: Remains) -> Iterator[str]:
    """Releases that clients hold, or that keepers say they answered, for which no committed event stands."""
    stand = {
        (version, head)
        for chain in remains.chains.values()
        for version, head in enumerate(chain.heads[: chain.version], start=1)
    }
    held = {
        (call.version, call.head)
        for call in completions
        if call.rpc == "ReleaseEnvelope" and call.outcome is Outcome.ACKED
    }
    for version, head in sorted((held | remains.released) - stand):
        yield f"released without commit: version {version}, head {head.hex()[:16]}"


def _otherwise(
    calls: Sequence[Call], completions: Sequence[Call], remains: Remains, limits: Limits, expected: frozenset[str]
) -> Iterator[str]:
    """Whatever else must not be; what is counted above is not named twice."""
    counted = ("acknowledged and lost", "released without commit", "verdict told", "judged beyond the budget")
    evidence = Evidence(
        chains=remains.chains, fulfilled=remains.fulfilled, histories=remains.histories, budget=limits.budget
    )
    for line in complaints([call.said() for call in completions], evidence):
        if not line.startswith(counted):
            yield line
    for account in sorted({call.account for call in completions} - set(remains.histories)):
        yield f"history refused: {account}"
    for call in calls:
        if call.told not in expected:
            yield f"told {call.told}: {call.account}, {call.rpc}"
        elif call.outcome is Outcome.REFUSED and call.good:
            yield f"good signature refused: {call.account}, {call.rpc}"


def _version_begun_at(ceremony: bytes) -> int:
    return ceremony_pb2.Statement.FromString(ceremony[:-_TAG_BYTES]).version
