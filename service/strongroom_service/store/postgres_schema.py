"""The schema in PostgreSQL: its numbered migrations, and which of them this release knows."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import psycopg

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_SCRIPTS: Final = ("0001_first.sql",)
KNOWN_VERSION: Final = len(_SCRIPTS)

_HAS_SCHEMA: Final = "SELECT to_regclass('schema_version') IS NOT NULL"
_VERSION: Final = "SELECT coalesce(max(version), 0) FROM schema_version"


async def refuse_unknown_schema(
    execute: Callable[[str, Sequence[object]], Awaitable[list[tuple[Any, ...]]]],
) -> None:
    """Check that the database has the schema this release was written for.

    Raises:
        Misconfigured: older (says how to migrate), newer, or not a Strongroom database.
    """
    [(there,)] = await execute(_HAS_SCHEMA, ())
    version = int((await execute(_VERSION, ()))[0][0]) if there else 0
    if version < KNOWN_VERSION:
        raise Misconfigured(f"schema version {version}, this release needs {KNOWN_VERSION}: run `strongroomd migrate`")
    if version > KNOWN_VERSION:
        raise Misconfigured(
            f"schema version {version} is newer than this release, which knows {KNOWN_VERSION}: run the newer release"
        )


def migrate_postgres(conninfo: str) -> int:
    """Bring the database to the schema this release knows, under the role that `conninfo` names.

    Returns:
        The schema version before: 0 for an empty database.

    Raises:
        Misconfigured: its schema is newer than this release.
        StoreUnavailable: the database refused; the migrations before the failing one stay applied.
    """
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            [(there,)] = connection.execute(_HAS_SCHEMA).fetchall()
            before = int(connection.execute(_VERSION).fetchall()[0][0]) if there else 0
            if before > KNOWN_VERSION:
                raise Misconfigured(f"schema version {before} is newer than this release, which knows {KNOWN_VERSION}")
            for version, name in enumerate(_SCRIPTS[before:], start=before + 1):
                script = (resources.files("strongroom_service.store.migrations") / "postgres" / name).read_bytes()
                with connection.transaction():
                    connection.execute(script)
                    connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (version,))
            return before
    except psycopg.Error as error:
        raise StoreUnavailable(f"migration failed: {error}") from error
