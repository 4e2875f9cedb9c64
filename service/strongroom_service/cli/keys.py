"""`strongroomd keys`: the vault's keys, through their lives."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from strongroom_service.cli.exit_codes import ExitCode
from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, Words, print_document, print_table
from strongroom_service.domain.epochs import RotatedKey

if TYPE_CHECKING:
    from strongroom_service.application.keys import KeyStanding

keys_app = typer.Typer(help="The vault's keys: made, put to use, retired, destroyed.", no_args_is_help=True)

_DAY_MS: Final = 24 * 3600 * 1000
_COLUMNS: Final = ("label", "state", "since", "days", "check_value", "fingerprint")
_Label = Annotated[str, typer.Argument(help="As `keys list` names it, such as strongroom-kek-1.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@keys_app.command("list")
def list_keys(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """List the keys, their state, since when, and the values they are recognised by."""
    from strongroom_service.bootstrap.keys import run_keys_list

    print_table(_COLUMNS, [_row(key) for key in run_keys_list(config).keys], output=output)


@keys_app.command()
def show(label: _Label, config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Show one key."""
    from strongroom_service.bootstrap.keys import run_keys_list

    print_document(_document(run_keys_list(config).named(label)), output=output)


@keys_app.command("rotate")
def rotate(
    rotated: Annotated[RotatedKey, typer.Argument(metavar="KIND", help="kek, seal, transport or identity.")],
    *,
    config: ConfigFile,
    only_make: Annotated[
        bool,
        typer.Option("--only-make", help="Make the key in the token, and stop: where other tokens must get it first."),
    ] = False,
    clients_pin: Annotated[
        str | None,
        typer.Option(help="identity: fingerprint of the new key, once every client pins it beside the one in use."),
    ] = None,
    dry_run: _DryRun = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the next key of a kind, and put it to use once every keeper has it; the one before only opens then.

    Run it again when it was cut short: it goes on from what is there. No restart is needed.
    """
    from strongroom_service.bootstrap.keys import run_keys_rotate

    words = Words(output)
    keys = run_keys_rotate(
        config, rotated, only_make=only_make, clients_pin=clients_pin, dry_run=dry_run, say=words.say
    )
    words.end(keys=[_document(key) for key in keys])


@keys_app.command()
def rewrap(
    config: ConfigFile,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Most records to change in a second.")] = 50.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Move every record to the keys in use, beside the running service. 1 if a record was refused or left.

    Run it again when it was cut short. Whoever is being asked for a passkey meanwhile may be asked once more.
    """
    from strongroom_service.bootstrap.rewrapping import run_keys_rewrap

    words = Words(output)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Records", total=None)
        done = run_keys_rewrap(
            config,
            rate=rate,
            say=lambda text: typer.echo(text, err=True),
            begin=lambda count: bar.update(task, total=count),
            progress=lambda count: bar.update(task, advance=count),
        )
    words.say(f"{done.looked_at} records, moved {done.moved}, refused {done.refused}, left {done.left}.")
    words.end(looked_at=done.looked_at, moved=done.moved, refused=done.refused, left=done.left)
    raise typer.Exit(ExitCode.ERROR if done.refused or done.left else ExitCode.OK)


@keys_app.command()
def retire(label: _Label, config: ConfigFile, *, dry_run: _DryRun = False, output: OutputOption = Output.TABLE) -> None:
    """Retire a key that was replaced: every record is opened first, and none may need it.

    A retired key still opens the events that it sealed. `take-back` undoes it, `destroy` does not.
    """
    from strongroom_service.bootstrap.rewrapping import run_keys_retire

    words = Words(output)
    key = run_keys_retire(config, label, dry_run=dry_run, say=words.say)
    words.end(key=_document(key))


@keys_app.command()
def take_back(label: _Label, config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Let a retired key open again."""
    from strongroom_service.bootstrap.keys import run_keys_take_back

    words = Words(output)
    key = run_keys_take_back(config, label, say=words.say)
    words.end(key=_document(key))


@keys_app.command()
def destroy(
    label: _Label,
    config: ConfigFile,
    *,
    confirm: Annotated[
        str | None, typer.Option(help="The label once more, for programs; else it is asked for.")
    ] = None,
    dry_run: _DryRun = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Destroy a retired key in the token, for good: what was erased under it is gone from every copy only then.

    A seal key is not destroyed while an event is kept that it sealed.
    """
    from strongroom_service.bootstrap.keys import run_keys_destroy

    def retyped(wanted: str) -> bool:
        question = f"This cannot be undone. Type {wanted} to go on"
        return (typer.prompt(question, err=True) if confirm is None else confirm) == wanted

    words = Words(output)
    key = run_keys_destroy(config, label, dry_run=dry_run, confirm=retyped, say=words.say)
    words.end(key=_document(key))


def _document(key: KeyStanding) -> dict[str, str | int]:
    return dict(zip(_COLUMNS, _row(key), strict=True))


def _row(key: KeyStanding) -> tuple[str, str, str, int, str, str]:
    since = datetime.fromtimestamp(key.state_at / 1_000, tz=UTC).isoformat(timespec="seconds")
    days = (int(time.time() * 1_000) - key.state_at) // _DAY_MS
    return key.label, key.state.value, since, days, key.check_value.hex(), key.fingerprint.hex()
