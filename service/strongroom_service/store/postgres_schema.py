"""The schema in PostgreSQL: its numbered migrations, which of them this release knows, and what the service's role may.

Migrations expand first and contract a release later, so that while replicas are replaced one by one the old and the new
ones serve from one database: each migration states the oldest schema that a release must know to go on serving.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import errors, sql

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.postgres_errors import describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

# The script of each version from 1 on, and the oldest schema that a release must know to serve from it.
_MIGRATIONS: Final = (("0001_first.sql", 1), ("0002_copies.sql", 1))
KNOWN_VERSION: Final = len(_MIGRATIONS)

_HAS_SCHEMA: Final = "SELECT to_regclass('schema_version') IS NOT NULL"
_COPYING: Final = "SELECT 1 FROM copies WHERE NOT finished"
_VERSION: Final = "SELECT version, serves_from FROM schema_version ORDER BY version DESC LIMIT 1"
# Nothing but what its statements need: no row of `records` is ever deleted, and no table made, changed or emptied.
_RIGHTS: Final = {
    "schema_version": "SELECT",
    "copies": "SELECT",
    "records": "SELECT, INSERT, UPDATE",
    "events": "SELECT, INSERT, DELETE",
    "event_bases": "SELECT, INSERT, UPDATE",
    "feed_waiting": "SELECT, INSERT, DELETE",
    "feed": "SELECT, INSERT, DELETE",
    "feed_end": "SELECT, UPDATE",
    "vault": "SELECT, INSERT, UPDATE",
}


async def refuse_unknown_schema(
    execute: Callable[[str, Sequence[object]], Awaitable[list[tuple[Any, ...]]]], *, copying: bool
) -> None:
    """Check that this release can serve from the database's schema.

    Args:
        execute: runs a query.
        copying: also where a copy is under way.

    Raises:
        Misconfigured: a copy is under way, or the schema is older (says how to migrate), too new, or not ours.
    """
    [(there,)] = await execute(_HAS_SCHEMA, ())
    rows = await execute(_VERSION, ()) if there else []
    version, serves_from = rows[0] if rows else (0, 0)
    if version < KNOWN_VERSION:
        raise Misconfigured(f"schema version {version}, this release needs {KNOWN_VERSION}: run `strongroomd migrate`")
    _refuse_newer(version, serves_from)
    if not copying and await execute(_COPYING, ()):
        raise Misconfigured("a vault is being copied here: run `strongroomd migrate copy` to its end")


def migrate_postgres(conninfo: str, *, service_role: str | None = None, dry_run: bool = False) -> tuple[int, int]:
    """Bring the database to the schema this release knows, under the role that `conninfo` names.

    Args:
        conninfo: of the role that owns the tables.
        service_role: who is given the rights that the service needs, and no others; None: nobody.
        dry_run: do it all, then take it back.

    Returns:
        The schema version before (0 for an empty database) and after.

    Raises:
        Misconfigured: the schema is newer than this release, or the role is not there or could do more.
        StoreUnavailable: the database refused; nothing was changed.
    """
    try:
        try:
            return _run(conninfo, service_role=service_role, dry_run=dry_run)
        except (errors.UniqueViolation, errors.DuplicateTable):  # another run made the first table before ours
            return _run(conninfo, service_role=service_role, dry_run=dry_run)
    except psycopg.Error as error:
        raise StoreUnavailable(f"migration failed: {describe(error)}") from error


def _run(conninfo: str, *, service_role: str | None, dry_run: bool) -> tuple[int, int]:
    with psycopg.connect(conninfo, target_session_attrs="read-write") as connection:
        versions = _migrate(connection)
        if service_role is not None:
            _give_rights(connection, service_role)
        if dry_run:
            connection.rollback()
        return versions


def _migrate(connection: psycopg.Connection) -> tuple[int, int]:
    """All in one transaction, behind a lock that a second run waits for: it then finds nothing left to do."""
    [(there,)] = connection.execute(_HAS_SCHEMA).fetchall()
    if there:
        connection.execute("LOCK TABLE schema_version IN EXCLUSIVE MODE")
    rows = connection.execute(_VERSION).fetchall() if there else []
    before, serves_from = rows[0] if rows else (0, 0)
    _refuse_newer(before, serves_from)
    for version, (name, oldest) in enumerate(_MIGRATIONS[before:], start=before + 1):
        script = resources.files("strongroom_service.store.migrations") / "postgres" / name
        connection.execute(script.read_bytes())
        connection.execute("INSERT INTO schema_version (version, serves_from) VALUES (%s, %s)", (version, oldest))
    return before, max(before, KNOWN_VERSION)


def _give_rights(connection: psycopg.Connection, role: str) -> None:
    found = connection.execute(
        "SELECT rolcreaterole OR pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s", (role,)
    ).fetchall()
    if not found:
        raise Misconfigured(f"there is no role {role}: CREATE ROLE {role} LOGIN")
    if found[0][0]:
        raise Misconfigured(f"role {role} could change the schema: the service needs one that cannot")
    name = sql.Identifier(role)
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    if connection.execute("SELECT has_schema_privilege(%s, 'public', 'CREATE')", (role,)).fetchall() != [(False,)]:
        raise Misconfigured(f"role {role} could change the schema: it may create in it, by whatever way")
    for table, rights in _RIGHTS.items():
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(table), name))
        grant = sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.Identifier(table), name)
        connection.execute(grant)


def _refuse_newer(version: int, serves_from: int) -> None:
    if version > KNOWN_VERSION and serves_from > KNOWN_VERSION:
        raise Misconfigured(
            f"schema version {version} is newer than this release, which knows {KNOWN_VERSION}: run the newer release"
        )
