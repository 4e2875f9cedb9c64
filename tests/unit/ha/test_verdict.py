"""The verdict on a failover counts each broken promise, and a run passes only if its controls break some."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.v1 import event_pb2
from tests.campaign.history import Call
from tests.ha.faults import FAULTS
from tests.ha.ha import LEAST_ACKNOWLEDGED, ZEROS, shortcomings
from tests.ha.verdict import double_releases, seconds_unavailable

GOOD: list[dict[str, Any]] = [
    {"kind": fault.kind, "acknowledged": LEAST_ACKNOWLEDGED, "stopped": [], **dict.fromkeys(ZEROS, 0)}
    for fault in FAULTS
]
SEEING: list[dict[str, Any]] = [{"kind": f"control {number}", "acknowledged_lost": 1} for number in (1, 2)]


def call(
    *, version: int = 3, head: bytes = b"head", ceremony: bytes = b"one", told: str = "", ended_at: float = 1
) -> Call:
    return Call(
        account="account",
        rpc="ReleaseEnvelope",
        ceremony=ceremony,
        good=True,
        began_at=0,
        ended_at=ended_at,
        told=told,
        version=version,
        head=head,
    )


def event(*, ceremony: bytes = b"one", granted: bool = True, kind: str = "RELEASE") -> event_pb2.Event:
    outcome = event_pb2.EVENT_OUTCOME_GRANTED if granted else event_pb2.EVENT_OUTCOME_FAILED
    return event_pb2.Event(kind=event_pb2.EventKind.Value(f"EVENT_KIND_{kind}"), ceremony=ceremony, outcome=outcome)


def test_answer_given_again_is_one_release() -> None:
    calls = [call(), call(), call(told="UNAVAILABLE", version=0, head=b"")]
    assert double_releases(calls, {"account": [event()]}) == []


@pytest.mark.parametrize("other", [call(version=4), call(head=b"other")])
def test_two_answers_to_one_ceremony_are_two_releases(other: Call) -> None:
    assert len(double_releases([call(), other, call(ceremony=b"two")], {"account": [event()]})) == 1


def test_ceremony_that_was_granted_twice_is_two_releases() -> None:
    assert len(double_releases([], {"account": [event(), event()]})) == 1
    assert double_releases([], {"account": [event(), event(granted=False), event(kind="STORE")]}) == []


def test_longest_time_without_an_answer_is_told() -> None:
    calls = [call(ended_at=at) for at in (1, 5, 6, 16, 17)]
    assert seconds_unavailable([*calls, call(ended_at=11, told="UNAVAILABLE")], since=4) == 10
    assert seconds_unavailable(calls, since=0) == 10
    assert seconds_unavailable(calls[:2], since=0) == 4


def test_all_as_promised() -> None:
    assert shortcomings(GOOD, SEEING, whole=True) == []


@pytest.mark.parametrize("name", ZEROS)
def test_one_broken_promise_is_enough(name: str) -> None:
    assert shortcomings([*GOOD[1:], {**GOOD[0], name: 1}], SEEING, whole=True) == [f"{GOOD[0]['kind']}: {name} is 1"]


def test_client_that_stopped_is_enough() -> None:
    assert len(shortcomings([*GOOD[1:], {**GOOD[0], "stopped": ["why"]}], SEEING, whole=True)) == 1


def test_too_few_answers_show_nothing() -> None:
    few = {**GOOD[0], "acknowledged": LEAST_ACKNOWLEDGED - 1}
    assert len(shortcomings([*GOOD[1:], few], SEEING, whole=True)) == 1


@pytest.mark.parametrize("number", [0, 1])
def test_control_that_loses_nothing_is_blind(number: int) -> None:
    blind = [{**each, "acknowledged_lost": int(index != number)} for index, each in enumerate(SEEING)]
    assert shortcomings(GOOD, blind, whole=True) == [f"control {number + 1}: shows no loss"]


def test_whole_run_strikes_in_every_way() -> None:
    assert shortcomings(GOOD[1:], SEEING, whole=True) == [f"{GOOD[0]['kind']}: not struck"]
    assert shortcomings(GOOD[1:], SEEING, whole=False) == []
