"""`strongroomd records`: single records."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, Words

records_app = typer.Typer(help="Single records.", no_args_is_help=True)


@records_app.callback()
def records() -> None:
    """Do something with a single record."""


@records_app.command()
def accept_older(
    record_id: Annotated[str, typer.Argument(help="64 hex digits, as `checkpoint verify` names it.")],
    config: ConfigFile,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let keepers take a record's row though they have seen a newer one: what was changed since then is undone."""
    from strongroom_service.bootstrap.accepting import run_accept_older

    words = Words(output)
    run_accept_older(config, record_id=record_id, say=words.say)
    words.end()
