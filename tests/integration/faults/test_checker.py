"""The checker complains of each thing that must not be, and of nothing else: forged histories, one lie each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.v1 import event_pb2
from tests.integration.faults.checker import Chain, Evidence, Fulfilled, Outcome, Said, complaints

RECORD = bytes(32)
HEADS = tuple(bytes([number]) * 32 for number in range(1, 6))
GRANTED, FAILED, EXHAUSTED = (
    event_pb2.EVENT_OUTCOME_GRANTED,
    event_pb2.EVENT_OUTCOME_FAILED,
    event_pb2.EVENT_OUTCOME_EXHAUSTED,
)


def event(version: int, outcome: event_pb2.EventOutcome.ValueType) -> event_pb2.Event:
    kind = event_pb2.EVENT_KIND_REGISTER if version == 1 else event_pb2.EVENT_KIND_RELEASE
    return event_pb2.Event(
        version=version, kind=kind, outcome=outcome, ceremony=b"ceremony %d" % version, chain_head=HEADS[version - 1]
    )


def said(version: int, outcome: Outcome, *, good: bool) -> Said:
    acked = outcome is Outcome.ACKED
    return Said(
        account="alice",
        ceremony=b"ceremony %d" % version,
        good=good,
        outcome=outcome,
        version=version if acked else 0,
        head=HEADS[version - 1] if acked else b"",
    )


OUTCOMES = (GRANTED, GRANTED, FAILED, FAILED, EXHAUSTED)
HISTORY = tuple(event(version, outcome) for version, outcome in enumerate(OUTCOMES, start=1))
CHAIN = Chain(version=5, event_versions=(1, 2, 3, 4, 5), heads=HEADS)
FULFILLED = (Fulfilled(RECORD, 1, HEADS[0]), Fulfilled(RECORD, 2, HEADS[1]))
EVIDENCE = Evidence(chains={RECORD: CHAIN}, fulfilled=FULFILLED, histories={"alice": HISTORY}, budget=3)
SAID = (
    said(1, Outcome.ACKED, good=True),
    said(2, Outcome.UNKNOWN, good=True),
    said(2, Outcome.ACKED, good=True),
    said(3, Outcome.REFUSED, good=False),
    said(4, Outcome.UNKNOWN, good=False),
    said(5, Outcome.REFUSED, good=False),
    replace(said(5, Outcome.UNJUDGED, good=True), ceremony=b"too late"),
    replace(said(5, Outcome.UNKNOWN, good=True), ceremony=b"never arrived"),
)


def test_true_history_gives_no_cause_for_complaint() -> None:
    assert complaints(SAID, EVIDENCE) == []


def with_history(*history: event_pb2.Event) -> Evidence:
    return replace(EVIDENCE, histories={"alice": history})


@pytest.mark.parametrize(
    ("lie", "evidence", "complaint"),
    [
        (
            (replace(SAID[0], head=HEADS[3]), *SAID[1:]),
            EVIDENCE,
            "acknowledged and lost: alice, version 1",
        ),
        (
            (*SAID, replace(SAID[0], ceremony=b"ceremony 2", version=6)),
            EVIDENCE,
            "acknowledged and lost: alice, version 6",
        ),
        (
            (*SAID, replace(SAID[3], ceremony=b"unheard of")),
            EVIDENCE,
            "verdict told and not recorded: alice",
        ),
        (
            (*SAID, replace(SAID[2], ceremony=b"ceremony 3", good=False)),
            EVIDENCE,
            "wrong signature answered: alice, version 2",
        ),
        (
            (replace(SAID[0], good=False, outcome=Outcome.UNKNOWN), *SAID[1:]),
            EVIDENCE,
            "wrong signature granted: alice, version 1",
        ),
        (
            SAID[:3] + SAID[4:],
            EVIDENCE,
            "attempt that nobody made: alice, version 3",
        ),
        (
            SAID,
            replace(EVIDENCE, fulfilled=(*FULFILLED, Fulfilled(RECORD, 3, HEADS[3]))),
            f"released without commit: record {RECORD.hex()}, version 3",
        ),
        (
            SAID,
            replace(EVIDENCE, fulfilled=(*FULFILLED, Fulfilled(b"another", 1, HEADS[0]))),
            f"released without commit: record {b'another'.hex()}, version 1",
        ),
        (
            SAID,
            replace(EVIDENCE, chains={RECORD: replace(CHAIN, version=6)}),
            f"record {RECORD.hex()}: version 6 has events (1, 2, 3, 4, 5)",
        ),
        (
            SAID,
            replace(EVIDENCE, budget=2),
            "judged beyond the budget: alice, version 5",
        ),
    ],
)
def test_each_lie_is_named(lie: tuple[Said, ...], evidence: Evidence, complaint: str) -> None:
    assert complaints(lie, evidence) == [complaint]


def test_ceremony_with_two_events_is_named() -> None:
    twice = event(4, FAILED)
    twice.ceremony = b"ceremony 3"
    heard = [each for each in SAID if each.ceremony != b"ceremony 4"]
    found = complaints(heard, with_history(*HISTORY[:3], twice, HISTORY[4]))
    assert found == ["judged twice: alice, version 3", "judged twice: alice, version 4"]


def test_account_whose_history_is_gone_has_lost_all_that_was_acknowledged() -> None:
    found = complaints(SAID, with_history())
    assert "acknowledged and lost: alice, version 1" in found
    assert "verdict told and not recorded: alice" in found
