"""`strongroomd migrate`: the database's schema, and the way from one database to another."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom_service.cli.output import Output, OutputOption, Words

migrate_app = typer.Typer(help="The database's schema, and a vault's way to another database.")

_Unverified = Annotated[bool, typer.Option(help="Take a server on another host without sslmode=verify-full.")]


@migrate_app.callback(invoke_without_command=True)
def migrate(
    context: typer.Context,
    *,
    database: Annotated[
        str | None,
        typer.Option(
            help="URL of the database as in strongroom.toml, for PostgreSQL with the role that owns the tables;"
            " without a password: passfile= names a file."
        ),
    ] = None,
    service_role: Annotated[
        str | None, typer.Option(help="PostgreSQL: the role that the service connects as, which is given its rights.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="PostgreSQL: do it all in a transaction, and take it back.")] = False,
    unverified_transport: _Unverified = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring the database to the schema of this release; replicas of the release before go on serving meanwhile."""
    if context.invoked_subcommand is not None:
        return
    if database is None:
        raise typer.BadParameter("is required", param_hint="--database")
    from strongroom_service.bootstrap.migrating import run_migrate

    done = run_migrate(database, service_role=service_role, dry_run=dry_run, unverified_transport=unverified_transport)
    would = "Would migrate" if dry_run else "Migrated"
    words = Words(output)
    words.say(f"{would} from schema version {done.before} to {done.after}.")
    words.end(before=done.before, after=done.after, dry_run=dry_run)


@migrate_app.command()
def copy(
    *,
    source: Annotated[str, typer.Option("--from", help="sqlite:/// URL of the vault; its service must be stopped.")],
    destination: Annotated[
        str, typer.Option("--to", help="postgresql:// URL of a migrated, empty database, with the role that owns it.")
    ],
    single_node: Annotated[bool, typer.Option(help="Take a server that names no synchronous standby.")] = False,
    unverified_transport: _Unverified = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy a vault from its file to PostgreSQL, compare every row, and have it served from there alone.

    Run it again when it was cut short: it goes on from what is there.
    """
    from strongroom_service.bootstrap.copying import run_copy

    words = Words(output)
    done = run_copy(
        source, destination, single_node=single_node, unverified_transport=unverified_transport, say=words.say
    )
    words.say(f"{done.records} records have moved. Name the new database in strongroom.toml, and start the service.")
    words.end(records=done.records)
