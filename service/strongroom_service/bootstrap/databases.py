"""Which database the configuration names, opened for who asks."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from strongroom_service.config.databases import SqliteDatabase
from strongroom_service.store.migrations import KNOWN_VERSION, migrate
from strongroom_service.store.sqlite import SqliteReader, SqliteStore
from strongroom_service.store.sqlite_beside import SqliteBeside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from strongroom_service.config.databases import PostgresDatabase
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.store.postgres import PostgresStore

    ServingStore: TypeAlias = SqliteStore | PostgresStore
    ReadingStore: TypeAlias = SqliteReader | PostgresStore
    StoreBeside: TypeAlias = SqliteBeside | PostgresStore


FileT = TypeVar("FileT", bound=SqliteReader)


def make_schema(config: VaultConfig) -> None:
    """Make or migrate a database in a file. One behind PostgreSQL has a role of its own for that, which we are not.

    Raises:
        Misconfigured, StoreUnavailable: as `store.migrations.migrate`.
    """
    if isinstance(config.database, SqliteDatabase):
        migrate(config.database.path)


def known_schema(config: VaultConfig) -> int:
    """Return the schema version that this release serves from, in the kind of database that is configured."""
    if isinstance(config.database, SqliteDatabase):
        return KNOWN_VERSION
    from strongroom_service.store.postgres_schema import KNOWN_VERSION as KNOWN_IN_POSTGRES  # noqa: PLC0415  as below

    return KNOWN_IN_POSTGRES


def serving_store(
    config: VaultConfig, *, observe_commit: Callable[[float, int], None] | None = None
) -> AbstractAsyncContextManager[ServingStore]:
    """Open the store to serve from: with a file, as the only writer. At the end commit what waits and close.

    Raises:
        Misconfigured: it is not fit to serve from.
        StoreUnavailable: it cannot be opened.
    """
    return _opened(config, partial(SqliteStore.open, observe_commit=observe_commit), observe_commit=observe_commit)


def reading_store(config: VaultConfig) -> AbstractAsyncContextManager[ReadingStore]:
    """Open the store to read it, beside the service. Raises as `serving_store`."""
    return _opened(config, SqliteReader.open_reader)


def store_beside(config: VaultConfig) -> AbstractAsyncContextManager[StoreBeside]:
    """Open the store to read and, rarely, change it, beside the service. Raises as `serving_store`."""
    return _opened(config, SqliteBeside.open_beside)


@contextlib.asynccontextmanager
async def _opened(
    config: VaultConfig,
    open_file: Callable[[Path], FileT],
    *,
    observe_commit: Callable[[float, int], None] | None = None,
) -> AsyncIterator[FileT | PostgresStore]:
    if isinstance(config.database, SqliteDatabase):
        with contextlib.closing(open_file(config.database.path)) as store:
            yield store
    else:
        async with _postgres(config, config.database, observe_commit) as postgres:
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
