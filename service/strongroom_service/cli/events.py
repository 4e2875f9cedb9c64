"""`strongroomd events`: what has happened, checked and given out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom_service.cli.exit_codes import ExitCode
from strongroom_service.cli.options import AskKeeper, ConfigFile, Pins
from strongroom_service.cli.output import Output, OutputOption, Words

events_app = typer.Typer(help="The histories of all accounts.", no_args_is_help=True)


@events_app.callback()
def events() -> None:
    """Check histories, or give them out."""


@events_app.command()
def verify(
    *,
    config: ConfigFile,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint's file: every chain must pass through its leaf.", dir_okay=False)
    ] = None,
    pin: Pins = None,
    keeper: AskKeeper = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Recompute every record's chain from the database; name what was removed, altered, inserted or cut. 1 if any."""
    from strongroom_service.bootstrap.evidence import run_events_verify

    words = Words(output)
    good = run_events_verify(config, checkpoint=checkpoint, pins=tuple(pin or ()), ask_keeper=keeper, say=words.say)
    words.end(good=good)
    raise typer.Exit(0 if good else ExitCode.ERROR)


@events_app.command()
def export(
    config: ConfigFile,
    file: Annotated[Path, typer.Option(help="A new file, for its owner alone: it holds who signed what and when.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Write all events out of their seals, for anybody to check every signature. A running keeper opens them."""
    from strongroom_service.bootstrap.evidence import run_events_export

    end = run_events_export(config, output=file)
    words = Words(output)
    words.say(f"{end.records} records, {end.events} events in {file}")
    words.end(records=end.records, events=end.events, file=str(file))


@events_app.command()
def prune(
    config: ConfigFile,
    older_than: Annotated[
        float, typer.Option(min=0.0, help="Days; the newest event before that stays, in each record.")
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove old events, as far as the last checkpoint covers them. What is left stays checkable."""
    from strongroom_service.bootstrap.pruning import run_events_prune

    pruned = run_events_prune(config, older_than_days=older_than)
    words = Words(output)
    words.say(f"{pruned.events} events of {pruned.records} records removed.")
    words.end(events=pruned.events, records=pruned.records)
