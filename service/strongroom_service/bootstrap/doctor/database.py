"""The database: that it answers, is of this release, and keeps what it has acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.databases import known_schema, reading_store
from strongroom_service.bootstrap.doctor.findings import fail, ok, skip, warn
from strongroom_service.config.databases import PostgresDatabase, SqliteDatabase
from strongroom_service.domain.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.application.rows import VaultRow
    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import VaultConfig

# What makes a role more than what the service needs.
_POWERS: Final = """
SELECT rolsuper, rolcreaterole, rolcreatedb, has_schema_privilege(current_user, 'public', 'CREATE'),
       EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND pg_has_role(current_user, tableowner, 'MEMBER'))
FROM pg_roles WHERE rolname = current_user
"""
_POWER_NAMES: Final = (
    "is a superuser",
    "may make roles",
    "may make databases",
    "may create in the schema",
    "owns tables",
)
_STANDBYS: Final = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
_FILE: Final = "the database is a file"


@dataclass(slots=True)
class RowFound:
    """The vault's row as the database has it."""

    row: VaultRow | None = None


def check_database(config: VaultConfig, found: RowFound) -> Iterator[Finding]:
    """As the front's user, look at it. `found` is filled in for who asks about the row later."""
    try:
        found.row = asyncio.run(_load(config))
    except StrongroomError as error:
        said = str(error)
        about_schema = "schema version" in said
        yield ok("database", "it answers") if about_schema else fail("database", said, _remedy(config))
        yield fail("schema", said, _schema_remedy(config)) if about_schema else skip("schema", "it cannot be read")
    else:
        yield (
            ok("database", f"it answers, and the vault's row is at version {found.row.version}")
            if found.row is not None
            else fail("database", "the vault has no row yet", "run `strongroomd init`")
        )
        yield ok("schema", f"version {known_schema(config)}")
    if isinstance(config.database, PostgresDatabase):
        yield from _check_postgres(config, config.database)
    else:
        yield skip("database_role", _FILE)
        yield skip("standbys", f"{_FILE}: back it up, as docs/operations.md says")


async def _load(config: VaultConfig) -> VaultRow | None:
    async with reading_store(config) as store:
        return await store.load_vault()


def _remedy(config: VaultConfig) -> str:
    if isinstance(config.database, SqliteDatabase):
        return "look at the folder of the database and the disk; `strongroomd init` makes a database where none was"
    return "look at the server and its settings: docs/operations.md, on PostgreSQL"


def _schema_remedy(config: VaultConfig) -> str:
    if isinstance(config.database, SqliteDatabase):
        return "stop the service and run `strongroomd init`"
    return "run `strongroomd migrate` with the role that owns the tables"


def _check_postgres(config: VaultConfig, database: PostgresDatabase) -> Iterator[Finding]:
    import psycopg  # noqa: PLC0415  a large library that a vault in one file has no use for

    from strongroom_service.store.postgres_errors import describe  # noqa: PLC0415  as above

    try:
        with psycopg.connect(database.url, connect_timeout=3, target_session_attrs="read-write") as connection:
            [powers] = connection.execute(_POWERS).fetchall()
            [(standbys,)] = connection.execute(_STANDBYS).fetchall()
    except psycopg.Error as error:
        yield from (skip(check, describe(error)) for check in ("database_role", "standbys"))
        return
    had = [name for name, has in zip(_POWER_NAMES, powers, strict=True) if has]
    yield (
        fail(
            "database_role", f"the service's role {', '.join(had)}", "`strongroomd migrate --service-role` another one"
        )
        if had
        else ok("database_role", "it can change rows, and nothing of the schema")
    )
    yield _standbys(config, int(standbys))


def _standbys(config: VaultConfig, standbys: int) -> Finding:
    remedy = "name standbys in synchronous_standby_names, and remove postgresql.single_node"
    if config.postgresql.single_node:
        return warn("standbys", "single_node is set: what was acknowledged is lost with this one server", remedy)
    if not standbys:
        return fail(
            "standbys", "no synchronous standby is connected: commits wait, or are lost with a failover", remedy
        )
    return ok("standbys", f"{standbys} confirm each commit")
