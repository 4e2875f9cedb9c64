"""`strongroomd migrate`: the database's schema."""

from __future__ import annotations

from typing import Annotated

import typer

migrate_app = typer.Typer(help="The database's schema.", invoke_without_command=True)


@migrate_app.callback()
def migrate(
    *,
    database: Annotated[
        str,
        typer.Option(
            help="URL of the database as in strongroom.toml, for PostgreSQL with the role that owns the tables;"
            " without a password: passfile= names a file."
        ),
    ],
    service_role: Annotated[
        str | None, typer.Option(help="PostgreSQL: the role that the service connects as, which is given its rights.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="PostgreSQL: do it all in a transaction, and take it back.")] = False,
    unverified_transport: Annotated[
        bool, typer.Option(help="Take a server on another host without sslmode=verify-full.")
    ] = False,
) -> None:
    """Bring the database to the schema of this release; replicas of the release before go on serving meanwhile."""
    from strongroom_service.bootstrap.migrating import run_migrate

    done = run_migrate(database, service_role=service_role, dry_run=dry_run, unverified_transport=unverified_transport)
    would = "Would migrate" if dry_run else "Migrated"
    typer.echo(f"{would} from schema version {done.before} to {done.after}.")
