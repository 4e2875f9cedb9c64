"""What commands print on standard output: words for people, or exactly one JSON document for programs.

With `--output json` that holds for failures too: the document is then {"error": ...}. Warnings and progress go to
standard error either way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, unique
from typing import Annotated

import typer

from strongroom_client.cli.explanations import Explanation
from strongroom_client.cli.showing import as_json


@unique
class Output(Enum):
    """How to show something."""

    TEXT = "text"
    JSON = "json"


@dataclass(slots=True)
class Chosen:
    """What the command line chose: the context's object, so that failures are told in the same way."""

    output: Output = Output.TEXT


def _note(context: typer.Context, value: Output) -> Output:
    if isinstance(context.obj, Chosen):
        context.obj.output = value
    return value


Shown = Annotated[Output, typer.Option("--output", help="Words for people, or JSON for programs.", callback=_note)]


def tell(output: Output, said: str, **fields: object) -> None:
    """Say how a command ended: `said` to people, the fields to programs."""
    typer.echo(said if output is Output.TEXT else as_json(fields))


def tell_failure(output: Output, explanation: Explanation) -> None:
    """Say why a command failed: to people on standard error."""
    if output is Output.TEXT:
        typer.secho(explanation.text, err=True, fg=typer.colors.RED)
        return
    error = {
        "kind": explanation.kind,
        "reason": explanation.reason,
        "message": explanation.said,
        "advice": explanation.advice,
        "retry_after_seconds": explanation.retry_after_seconds,
        "exit_code": int(explanation.exit_code),
    }
    typer.echo(json.dumps({"error": error}, indent=2))
