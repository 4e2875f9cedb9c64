"""The checklist is whole: every step has a line, a test of its own or a reason, and docs/webauthn.md says just that."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from strongroom_service.domain.credentials import PolicyViolation
from tests.unit.keeper.checklist.document import DOCUMENT, ENTRIES, row, table, tables_in, with_tables
from tests.unit.keeper.checklist.lines import Elsewhere, Entry, Line, NotHere, Section


def gaps(entries: tuple[Entry, ...], section: Section) -> set[int]:
    """The steps of a section that nothing stands for."""
    return set(section.steps) - {entry.step for entry in entries if entry.section is section}


@pytest.mark.parametrize("section", Section)
def test_every_step_is_stood_for(section: Section) -> None:
    assert gaps(ENTRIES, section) == set()
    steps = [entry.step for entry in ENTRIES if entry.section is section]
    assert steps == sorted(steps)
    for step in section.steps:  # a control: what is left out is noticed
        assert gaps(tuple(e for e in ENTRIES if (e.section, e.step) != (section, step)), section) == {step}


def test_tests_that_are_named_exist() -> None:
    named = [entry for entry in ENTRIES if isinstance(entry, Elsewhere)]
    assert [entry.test for entry in named if not entry.exists()] == []
    assert not replace(named[0], test=f"{named[0].test}_not").exists()
    assert not replace(named[0], test="tests/unit/nowhere.py::test_line").exists()


def test_no_two_lines_are_the_same_and_no_step_is_both_tried_and_said_not_to_apply() -> None:
    ids = [entry.id for entry in ENTRIES if isinstance(entry, Line)]
    assert len(ids) == len(set(ids))
    not_here = {(entry.section, entry.step) for entry in ENTRIES if isinstance(entry, NotHere)}
    assert not_here.isdisjoint({(entry.section, entry.step) for entry in ENTRIES if isinstance(entry, Line)})


def test_every_violation_that_a_ceremony_can_show_has_a_line() -> None:
    reasons = {entry.outcome.reason for entry in ENTRIES if isinstance(entry, Line)}
    # An algorithm that was withdrawn, and a credential in quarantine, are no tampering: they have tests of their own.
    untouched = {PolicyViolation.ALGORITHM, PolicyViolation.QUARANTINED}
    assert {violation.value for violation in PolicyViolation} - reasons == {each.value for each in untouched}


def test_document_has_the_table_of_each_section() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert tables_in(text) == [table(section) for section in Section]
    assert with_tables(text) == text
    for entry in ENTRIES[:3]:  # a control
        assert tables_in(text.replace(row(entry), "| changed |")) != [table(section) for section in Section]


def test_numbers_in_the_document_are_those_of_the_standard() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert re.findall(r"^## .*section (7\.\d)", text, re.MULTILINE) == ["7.1", "7.2"]
