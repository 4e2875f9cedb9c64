"""The checklist before the real keeper: each line spoils one thing, and has exactly its outcome, inside and outside."""

from __future__ import annotations

import pytest

from tests.fakes.desk import Desk
from tests.fakes.person import Person
from tests.unit.keeper.checklist.document import ENTRIES
from tests.unit.keeper.checklist.lines import Kind, Line, Section, outcome_of

LINES = [entry for entry in ENTRIES if isinstance(entry, Line)]
BUDGET = 10


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
def test_line(desk: Desk, line: Line) -> None:
    alice = Person(desk)
    if line.section is not Section.REGISTRATION:
        alice.enroll()
    ceremony = line.begin(alice)
    row = desk.row(alice.account)
    assert outcome_of(alice, ceremony, line.spoil(alice, ceremony)) == line.outcome
    if line.outcome.kind is Kind.COUNTED:
        assert desk.describe(alice.account).attempts_left == BUDGET - 1
    elif row is not None:
        assert desk.describe(alice.account).attempts_left == BUDGET
    elif line.outcome.kind is Kind.UNJUDGED:
        assert desk.row(alice.account) is None


def test_good_registration_is_taken(desk: Desk) -> None:
    """The control of the registration's lines; the assertion's has its own line."""
    alice = Person(desk)
    ceremony = alice.begin_registration()
    assert outcome_of(alice, ceremony, alice.judge_call(ceremony)).kind is Kind.TAKEN
