"""strongroomd: the operator's commands. Each reads the configuration file, and nothing else of its surroundings.

Each command imports its own root: a keeper, which has the PIN, holds no gRPC code and the front no PKCS#11 code, and
both are there sooner after a fall.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from strongroom_service.bootstrap.system import DISTRIBUTION
from strongroom_service.cli.bundle import bundle_app
from strongroom_service.cli.checkpoint import checkpoint_app
from strongroom_service.cli.configuration import config_app, tenants_app
from strongroom_service.cli.diagnosis import doctor, status, support_bundle
from strongroom_service.cli.events import events_app
from strongroom_service.cli.exit_codes import ExitCode, told_to_a_supervisor
from strongroom_service.cli.key_script import script
from strongroom_service.cli.keys import keys_app
from strongroom_service.cli.migrate import migrate_app
from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, Words, print_document
from strongroom_service.cli.records import records_app
from strongroom_service.domain.errors import Misconfigured, StrongroomError

_OneUser = Annotated[
    bool,
    typer.Option(
        "--one-user",
        help="Do it all as the keeper's user, who is given PIN and database for this run; with PostgreSQL only.",
    ),
]

app = typer.Typer(
    help="Strongroom: a self-hosted backup key vault. Ends with 0 ok, 1 error, 2 sealed or degraded, 3 wrong usage;"
    " what a supervisor starts, with 78 when something must be mended first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables
)
app.add_typer(config_app, name="config")
app.add_typer(tenants_app, name="tenants")
app.add_typer(events_app, name="events")
app.add_typer(bundle_app, name="bundle")
app.add_typer(checkpoint_app, name="checkpoint")
app.add_typer(records_app, name="records")
keys_app.command("script")(script)
app.add_typer(keys_app, name="keys")
app.add_typer(migrate_app, name="migrate")


@app.command()
def init(
    config: ConfigFile,
    *,
    one_user: _OneUser = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the vault's keys, database and first row; harmless when they are there. The service must be stopped."""
    from strongroom_service.bootstrap.init import run_init

    made = run_init(config, one_user=one_user)
    words = Words(output)
    if made.already:
        words.say("Already initialised.")
    for label in made.made_keys:
        words.say(f"Made key {label}.")
    words.say(f"Identity fingerprint, for clients to pin: {made.identity_fingerprint}")
    words.say(f"Written to {made.fingerprint_file}")
    words.end(made_keys=made.made_keys, already=made.already, identity_fingerprint=made.identity_fingerprint)


@app.command()
def serve(config: ConfigFile) -> None:
    """Run the front and its keepers."""
    from strongroom_service.bootstrap.serve import run_serve

    with told_to_a_supervisor():
        raise typer.Exit(run_serve(config))


@app.command()
def keeper(config: ConfigFile) -> None:
    """Run the keepers alone, as in a container of their own."""
    from strongroom_service.bootstrap.serve import run_keepers

    with told_to_a_supervisor():
        raise typer.Exit(run_keepers(config))


@app.command()
def front(config: ConfigFile) -> None:
    """Run the front alone, beside keepers in another container."""
    from strongroom_service.bootstrap.front import run_front

    with told_to_a_supervisor():
        raise typer.Exit(run_front(config))


app.command()(status)
app.command()(doctor)
app.command()(support_bundle)


@app.command()
def sweep(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Erase what resets have set aside, and accounts that their tenants have erased, once their time has come."""
    from strongroom_service.bootstrap.sweep import run_sweep

    swept = run_sweep(config)
    words = Words(output)
    words.say(f"{swept.looked_at} records, erased in {swept.erased}, changed meanwhile: {swept.moved_on}.")
    words.end(records=swept.looked_at, erased=swept.erased, moved_on=swept.moved_on)


@app.command(hidden=True)
def run_keeper_child(config: ConfigFile, index: Annotated[int, typer.Option(min=0, max=63)]) -> None:
    """Be one keeper: what the supervisor starts."""
    from strongroom_service.bootstrap.keeper import run_keeper

    with told_to_a_supervisor():
        raise typer.Exit(run_keeper(config, index))


@app.command(hidden=True)
def keep_house(config: ConfigFile) -> None:
    """Make a checkpoint if one is due: what the supervisor starts now and then."""
    from strongroom_service.bootstrap.housekeeper import run_housekeeper

    with told_to_a_supervisor():
        raise typer.Exit(run_housekeeper(config))


@app.command()
def housekeep(
    config: ConfigFile,
    every: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds between two looks.")] = 600.0,
) -> None:
    """Make a checkpoint whenever one is due, until told to end: beside keepers that run alone, as their user."""
    from strongroom_service.bootstrap.housekeeper import run_housekeeping

    with told_to_a_supervisor():
        run_housekeeping(config, every_seconds=every)


@app.command()
def version(output: OutputOption = Output.TABLE) -> None:
    """Print the version."""
    if output is Output.TABLE:
        typer.echo(version_of(DISTRIBUTION))
    else:
        print_document({"strongroom": version_of(DISTRIBUTION), "python": platform.python_version()}, output=output)


def main() -> None:
    """Run the command line; how it ends is one of `ExitCode`, or what a supervised process says."""
    try:
        # Not on its own: there a wrong usage would end with 2, which says something else here.
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        _tell_usage(error)
        code = ExitCode.USAGE
    except typer.Abort:
        typer.echo("Aborted.", err=True)
        code = ExitCode.ERROR
    except Misconfigured as error:
        typer.echo(str(error), err=True)
        code = ExitCode.ERROR
    except StrongroomError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        code = ExitCode.ERROR
    except OSError as error:  # a full disk, a folder that the user we act as may not read
        typer.echo(f"{error.filename or 'the system'}: {error.strerror} (as user {os.geteuid()})", err=True)
        code = ExitCode.ERROR
    sys.exit(code or ExitCode.OK)


def _tell_usage(error: typer.TyperException) -> None:
    said = error.format_message()
    context = getattr(error, "ctx", None)
    if not said:  # a command without its arguments has printed its help
        return
    typer.echo(f"Error: {said}", err=True)
    if context is not None:
        typer.echo(f"Try '{context.command_path} --help'.", err=True)


if __name__ == "__main__":
    main()
