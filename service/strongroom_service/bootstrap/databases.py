"""Which database the configuration names, opened for who asks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from strongroom_service.config.databases import SqliteDatabase
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteReader, SqliteStore
from strongroom_service.store.sqlite_beside import SqliteBeside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from strongroom_service.config.databases import PostgresDatabase
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.store.postgres import PostgresStore

    ServingStore: TypeAlias = SqliteStore | PostgresStore
    ReadingStore: TypeAlias = SqliteReader | PostgresStore
    StoreBeside: TypeAlias = SqliteBeside | PostgresStore


def make_schema(config: VaultConfig) -> None:
    """Make or migrate a database in a file. One behind PostgreSQL has a role of its own for that, which we are not.

    Raises:
        Misconfigured, StoreUnavailable: as `store.migrations.migrate`.
    """
    if isinstance(config.database, SqliteDatabase):
        migrate(config.database.path)


@contextlib.asynccontextmanager
async def serving_store(
    config: VaultConfig, *, observe_commit: Callable[[float, int], None] | None = None
) -> AsyncIterator[ServingStore]:
    """Open the store to serve from: with a file, as the only writer. At the end commit what waits and close.

    Raises:
        Misconfigured: it is not fit to serve from.
        StoreUnavailable: it cannot be opened.
    """
    if isinstance(config.database, SqliteDatabase):
        with contextlib.closing(SqliteStore.open(config.database.path, observe_commit=observe_commit)) as store:
            yield store
    else:
        async with _postgres(config, config.database, observe_commit) as postgres:
            yield postgres


@contextlib.asynccontextmanager
async def reading_store(config: VaultConfig) -> AsyncIterator[ReadingStore]:
    """Open the store to read it, beside the service. Raises as `serving_store`."""
    if isinstance(config.database, SqliteDatabase):
        with contextlib.closing(SqliteReader.open_reader(config.database.path)) as store:
            yield store
    else:
        async with _postgres(config, config.database, None) as postgres:
            yield postgres


@contextlib.asynccontextmanager
async def store_beside(config: VaultConfig) -> AsyncIterator[StoreBeside]:
    """Open the store to read and, rarely, change it, beside the service. Raises as `serving_store`."""
    if isinstance(config.database, SqliteDatabase):
        with contextlib.closing(SqliteBeside.open_beside(config.database.path)) as store:
            yield store
    else:
        async with _postgres(config, config.database, None) as postgres:
            yield postgres


def _postgres(
    config: VaultConfig, database: PostgresDatabase, observe_commit: Callable[[float, int], None] | None
) -> AbstractAsyncContextManager[PostgresStore]:
    # A large library that a vault in one file has no use for.
    from strongroom_service.store.postgres import PostgresStore  # noqa: PLC0415
    from strongroom_service.store.postgres_rules import PostgresRules  # noqa: PLC0415

    asked = config.postgresql
    rules = PostgresRules(
        conninfo=database.url,
        synchronous_commit=asked.synchronous_commit,
        single_node=asked.single_node,
        deadline_seconds=asked.deadline_seconds,
    )
    return PostgresStore.open(rules, observe_commit=observe_commit)
