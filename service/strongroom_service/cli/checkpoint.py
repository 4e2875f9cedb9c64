"""`strongroomd checkpoint`: what every record's chain head is at one time, signed, to be kept elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom_service.cli.exit_codes import ExitCode
from strongroom_service.cli.options import AskKeeper, ConfigFile, Pins
from strongroom_service.cli.output import Output, OutputOption, Words

checkpoint_app = typer.Typer(help="Checkpoints of all records.", no_args_is_help=True)


@checkpoint_app.command()
def make(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Make a checkpoint now, and hand it to checkpoints.command. `serve` does so daily."""
    from strongroom_service.bootstrap.checkpoints import run_checkpoint_make

    words = Words(output)
    run_checkpoint_make(config, say=words.say)
    words.end()


@checkpoint_app.command()
def verify(
    *,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Checkpoints; default: those in the folder.", dir_okay=False)
    ] = None,
    config: ConfigFile,
    pin: Pins = None,
    keeper: AskKeeper = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check that each checkpoint goes on from the one before, and the database from the newest. 1 if one does not."""
    from strongroom_service.bootstrap.checkpoints import run_checkpoint_verify

    words = Words(output)
    good = run_checkpoint_verify(config, files=files or (), pins=tuple(pin or ()), ask_keeper=keeper, say=words.say)
    words.end(good=good)
    raise typer.Exit(0 if good else ExitCode.ERROR)
