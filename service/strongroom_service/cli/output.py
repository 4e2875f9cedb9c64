"""What commands print: tables for people, JSON for programs, always on standard output; words for people go beside it.

A table is as wide as its content and has no colours, so that it can be piped, grepped and diffed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Cell: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Cell | Sequence[Value] | Mapping[str, Value]"

_NOTHING: Final = "-"


class Output(StrEnum):
    """Who reads it."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", help="A table for people, or JSON for programs.")]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, output: Output) -> None:
    """Print rows under their columns; as JSON an array with one object a row, whose keys are the columns.

    Columns are named in snake_case; people read them with spaces.
    """
    cells = [list(row) for row in rows]
    if output is Output.JSON:
        _print_json([dict(zip(columns, row, strict=True)) for row in cells])
        return
    heads = [column.replace("_", " ").upper() for column in columns]
    _print_aligned([heads, *([_text(cell) for cell in row] for row in cells)])


def print_document(document: Mapping[str, Value], *, output: Output) -> None:
    """Print one thing by its fields; as JSON one object. People read what is nested by its way: `token.label`."""
    if output is Output.JSON:
        _print_json(document)
        return
    _print_aligned([[way, _text(cell)] for way, cell in _flat(document, "")])


class Words:
    """What a command says while it works: printed at once for people, kept for the end for programs."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._kept: list[str] = []

    def say(self, line: str) -> None:
        """Say a line."""
        if self._output is Output.JSON:
            self._kept.append(line)
        else:
            typer.echo(line)

    def end(self, **fields: Value) -> None:
        """For programs print one object: these fields, and all that was `said`. People have heard it."""
        if self._output is Output.JSON:
            _print_json({**fields, "said": self._kept})


def _flat(value: Value, way: str) -> Iterator[tuple[str, Cell]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{way}.{key}" if way else key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(inner, Mapping) for inner in value):
            for index, inner in enumerate(value):
                yield from _flat(inner, f"{way}.{index}")
        else:
            yield from ((way, str(inner)) for inner in value)
            if not value:
                yield way, None
    else:
        yield way, value


def _text(cell: object) -> str:
    if cell is None or cell == "":
        return _NOTHING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return str(cell)


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
