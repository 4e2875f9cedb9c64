"""The campaign's checker counts each broken promise, and nothing of a history in which all was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from strongroom.v1 import ceremony_pb2, event_pb2
from tests.campaign.checker import Finding, Limits, Remains, find
from tests.campaign.history import Call
from tests.integration.faults.checker import Chain, Fulfilled

RECORD = bytes(32)
LIMITS = Limits(budget=3, cool_down_seconds=0, releases_per_day=2)
GRANTED, FAILED, EXHAUSTED = (
    event_pb2.EVENT_OUTCOME_GRANTED,
    event_pb2.EVENT_OUTCOME_FAILED,
    event_pb2.EVENT_OUTCOME_EXHAUSTED,
)
REGISTER, STORE, RELEASE = event_pb2.EVENT_KIND_REGISTER, event_pb2.EVENT_KIND_STORE, event_pb2.EVENT_KIND_RELEASE
RPCS = {REGISTER: "CompleteRegistration", STORE: "StoreEnvelope", RELEASE: "ReleaseEnvelope"}


def head(version: int) -> bytes:
    return bytes([version]) * 32


def ceremony(begun_at_version: int, mark: bytes = b"") -> bytes:
    statement = ceremony_pb2.Statement(version=begun_at_version, keeper_random=mark)
    return statement.SerializeToString() + bytes(32)


def event(
    version: int, outcome: event_pb2.EventOutcome.ValueType, kind: event_pb2.EventKind.ValueType = RELEASE
) -> event_pb2.Event:
    made = event_pb2.Event(
        version=version, kind=kind, outcome=outcome, ceremony=ceremony(version - 1), chain_head=head(version)
    )
    made.event_time.FromSeconds(1_000 * version)
    return made


def call_of(judged: event_pb2.Event) -> Call:
    granted = judged.outcome == GRANTED
    return Call(
        account="alice",
        rpc=RPCS[judged.kind],
        ceremony=judged.ceremony,
        good=granted,
        began_at=1_000.0 * judged.version,
        ended_at=1_000.0 * judged.version + 1,
        told="" if granted else "NOT_VERIFIED",
        version=judged.version if granted else 0,
        head=judged.chain_head if granted else b"",
    )


def history(*outcomes: event_pb2.EventOutcome.ValueType) -> list[event_pb2.Event]:
    """Registered, stored, and then releases with these outcomes."""
    after = [event(version, outcome) for version, outcome in enumerate(outcomes, start=3)]
    return [event(1, GRANTED, REGISTER), event(2, GRANTED, STORE), *after]


def remains_of(events: Sequence[event_pb2.Event]) -> Remains:
    heads = tuple(each.chain_head for each in events)
    chain = Chain(version=len(heads), event_versions=tuple(range(1, len(heads) + 1)), heads=heads)
    return Remains(histories={"alice": events}, chains={RECORD: chain}, fulfilled=(), released=frozenset())


KEPT = history(GRANTED, FAILED, FAILED, GRANTED, FAILED, FAILED, EXHAUSTED)
CALLS = [call_of(each) for each in KEPT]


def counts(finding: Finding) -> tuple[int, int, int, int]:
    return (
        len(finding.acknowledged_lost),
        len(finding.budget_exceeded),
        len(finding.released_without_commit),
        len(finding.otherwise),
    )


def test_nothing_is_counted_where_all_was_kept_and_the_unknown_is_held_against_nobody() -> None:
    unknown = replace(CALLS[3], ceremony=ceremony(9, b"never judged"), told="UNAVAILABLE")
    finding = find([*CALLS, unknown], remains_of(KEPT), LIMITS)
    assert counts(finding) == (0, 0, 0, 0)
    assert (finding.acknowledged, finding.unknown) == (len(KEPT), 1)


@pytest.mark.parametrize("spoilt", ["version", "head", "ceremony"])
def test_answer_is_lost_unless_version_head_and_ceremony_stand_together(spoilt: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "version": {"version": 5},
        "head": {"head": bytes(32)},
        "ceremony": {"ceremony": ceremony(2, b"x")},
    }
    store = replace(CALLS[1], **changes[spoilt])
    finding = find([CALLS[0], store, *CALLS[1:]], remains_of(KEPT), LIMITS)
    assert finding.acknowledged_lost == (
        f"acknowledged and lost: alice, StoreEnvelope, version {store.version}, told OK",
    )
    assert finding.released_without_commit == ()


def test_verdict_that_was_told_and_is_not_on_record_is_lost() -> None:
    told = replace(CALLS[3], ceremony=ceremony(3, b"x"))
    assert counts(find([*CALLS, told], remains_of(KEPT), LIMITS))[0] == 1


def test_release_without_its_event_is_counted_by_the_clients_and_the_keepers_word() -> None:
    held = replace(CALLS[2], head=bytes(32))
    finding = find([*CALLS, held], remains_of(KEPT), LIMITS)
    assert len(finding.acknowledged_lost) == len(finding.released_without_commit) == 1
    logged = replace(remains_of(KEPT), released=frozenset({(3, head(3)), (10, head(10))}))
    assert counts(find(CALLS, logged, LIMITS)) == (0, 0, 1, 0)


def test_an_event_above_its_records_row_is_not_committed() -> None:
    remains = remains_of(KEPT)
    short = replace(remains.chains[RECORD], version=2, event_versions=(1, 2))
    assert len(find(CALLS, replace(remains, chains={RECORD: short}), LIMITS).released_without_commit) == 2


def test_failures_beyond_the_budget_are_counted_recorded_or_not() -> None:
    recorded = history(FAILED, FAILED, FAILED, FAILED, FAILED)
    assert len(find([call_of(each) for each in recorded], remains_of(recorded), LIMITS).budget_exceeded) == 2
    forgotten = [replace(CALLS[3], ceremony=ceremony(2, b"%d" % number)) for number in range(5)]
    finding = find([*CALLS[:2], *forgotten], remains_of(KEPT[:2]), LIMITS)
    assert (len(finding.acknowledged_lost), len(finding.budget_exceeded)) == (5, 2)


def test_success_after_the_budget_is_beyond_it_and_a_new_life_is_not() -> None:
    revived = history(FAILED, FAILED, EXHAUSTED, GRANTED)
    assert len(find([call_of(each) for each in revived], remains_of(revived), LIMITS).budget_exceeded) == 1
    anew = [*history(FAILED, FAILED, EXHAUSTED), event(6, GRANTED, REGISTER), event(7, GRANTED, STORE)]
    assert counts(find([call_of(each) for each in anew], remains_of(anew), LIMITS)) == (0, 0, 0, 0)


def test_releases_beyond_the_quota_are_counted_for_as_many_days_as_there_were() -> None:
    released = history(GRANTED, GRANTED, GRANTED)
    calls = [call_of(each) for each in released]
    assert len(find(calls, remains_of(released), LIMITS).budget_exceeded) == 1
    assert find(calls, remains_of(released), replace(LIMITS, days=2)).budget_exceeded == ()


def cooling(*, judged_after_ms: int, answered_after: float, clock_is_true: bool = True) -> tuple[str, ...]:
    """Four failures, each numbered, and what is counted of a release that followed them so soon."""
    events = history(FAILED, FAILED, FAILED, FAILED, GRANTED)
    for number, failure in enumerate(events[2:6], start=1):
        failure.failures = number
    events[6].event_time.FromMilliseconds(events[5].event_time.ToMilliseconds() + judged_after_ms)
    calls = [call_of(each) for each in events]
    calls[6] = replace(calls[6], ended_at=calls[5].began_at + answered_after)
    limits = Limits(
        budget=10,
        cool_down_seconds=60,
        releases_per_day=2,
        clock_tolerance_seconds=10,
        clock_is_true=clock_is_true,
    )
    return find(calls, remains_of(events), limits).budget_exceeded


def test_what_is_judged_inside_a_cool_down_is_counted_by_the_keepers_clock_and_by_the_clients() -> None:
    assert cooling(judged_after_ms=60_000, answered_after=60.0) == ()
    assert len(cooling(judged_after_ms=59_999, answered_after=60.0)) == 1
    assert cooling(judged_after_ms=0, answered_after=50.0, clock_is_true=False) == ()
    assert len(cooling(judged_after_ms=10**9, answered_after=49.9, clock_is_true=False)) == 1


def test_trouble_taken_for_something_else_is_named() -> None:
    told = [replace(CALLS[2], told=word) for word in ("RECORD_REJECTED", "TOKEN_REJECTED", "INTERNAL")]
    assert find([*CALLS, *told], remains_of(KEPT), LIMITS).otherwise == (
        "told RECORD_REJECTED: alice, ReleaseEnvelope",
        "told TOKEN_REJECTED: alice, ReleaseEnvelope",
        "told INTERNAL: alice, ReleaseEnvelope",
    )
    refused = replace(CALLS[3], good=True)
    assert find([*CALLS, refused], remains_of(KEPT), LIMITS).otherwise == (
        "good signature refused: alice, ReleaseEnvelope",
    )


def test_what_the_older_checker_says_is_kept() -> None:
    fulfilled = (Fulfilled(RECORD, 1, head(1)), Fulfilled(RECORD, 9, bytes(32)))
    assert counts(find(CALLS, replace(remains_of(KEPT), fulfilled=fulfilled), LIMITS)) == (0, 0, 0, 0)
    nobody = find(CALLS[1:], remains_of(KEPT), LIMITS).otherwise
    assert nobody == ("attempt that nobody made: alice, version 1",)
    gone = find(CALLS, replace(remains_of(KEPT), histories={}), LIMITS)
    assert (len(gone.acknowledged_lost), gone.otherwise[-1]) == (len(KEPT), "history refused: alice")
