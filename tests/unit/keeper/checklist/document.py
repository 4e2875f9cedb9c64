"""The tables of docs/webauthn.md, made from the lines: `python -m tests.unit.keeper.checklist.document` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.unit.keeper.checklist import assertion, registration, vault_rules
from tests.unit.keeper.checklist.lines import ROOT, Elsewhere, Entry, Line, Section

DOCUMENT: Final[Path] = ROOT / "docs" / "webauthn.md"
LINES_TEST: Final = "tests/unit/keeper/checklist/test_lines.py::test_line"
ENTRIES: Final[tuple[Entry, ...]] = (*registration.ENTRIES, *assertion.ENTRIES, *vault_rules.ENTRIES)
_HEAD: Final = (
    "| step | what is done, or shown | outcome | internal reason | caller is told | test |",
    "| --- | --- | --- | --- | --- | --- |",
)


def row(entry: Entry) -> str:
    """Return the row that the document must have for `entry`."""
    match entry:
        case Line(outcome=outcome):
            cells = [
                entry.tampering,
                outcome.kind.value,
                _code(outcome.reason),
                outcome.told,
                f"`test_line[{entry.id}]`",
            ]
        case Elsewhere():
            cells = [entry.shows, "", "", "", f"`{entry.test}`"]
        case _:
            cells = [entry.why, "does not apply", "", "", ""]
    return f"| {' | '.join([str(entry.step), *cells])} |".replace("  ", " ")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def table(section: Section) -> list[str]:
    """Return the lines of a section's table."""
    return [*_HEAD, *(row(entry) for entry in ENTRIES if entry.section is section)]


def tables_in(text: str) -> list[list[str]]:
    """Return the tables of a document, in its order."""
    tables: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                tables.append([])
            tables[-1].append(line)
        inside = line.startswith("|")
    return tables


def with_tables(text: str) -> str:
    """Return the document with the tables that it should have."""
    for old, section in zip(tables_in(text), Section, strict=True):
        text = text.replace("\n".join(old), "\n".join(table(section)))
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT}\n")
