from __future__ import annotations

import json

import pytest

from strongroom_service.cli.output import Output, Value, print_document, print_table

ROWS = [("kek", 1, True, None), ("identity", 12, False, "long ago")]
COLUMNS = ("purpose", "epoch", "in_use", "made_at")


def test_table_is_as_wide_as_its_content_and_says_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS, output=Output.TABLE)
    assert capsys.readouterr().out == (
        "PURPOSE   EPOCH  IN USE  MADE AT\nkek       1      yes     -\nidentity  12     no      long ago\n"
    )


def test_table_for_programs_is_an_array_of_objects(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS, output=Output.JSON)
    assert json.loads(capsys.readouterr().out) == [
        {"purpose": "kek", "epoch": 1, "in_use": True, "made_at": None},
        {"purpose": "identity", "epoch": 12, "in_use": False, "made_at": "long ago"},
    ]


def test_empty_table_has_its_heads_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [], output=Output.TABLE)
    assert capsys.readouterr().out == "PURPOSE  EPOCH  IN USE  MADE AT\n"
    print_table(COLUMNS, [], output=Output.JSON)
    assert json.loads(capsys.readouterr().out) == []


DOCUMENT: dict[str, Value] = {
    "token": {"label": "vault", "modes": ["a", "b"]},
    "keepers": [{"pid": 7}, {"pid": 8}],
    "none": [],
}


def test_document_names_what_is_nested_by_its_way(capsys: pytest.CaptureFixture[str]) -> None:
    print_document(DOCUMENT, output=Output.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "token.label    vault",
        "token.modes    a",
        "token.modes    b",
        "keepers.0.pid  7",
        "keepers.1.pid  8",
        "none           -",
    ]


def test_document_for_programs_is_itself(capsys: pytest.CaptureFixture[str]) -> None:
    print_document(DOCUMENT, output=Output.JSON)
    assert json.loads(capsys.readouterr().out) == DOCUMENT
