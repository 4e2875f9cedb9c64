"""Every implementation of the store's ports, opened for one test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strongroom_service.store.migrations import migrate
from strongroom_service.store.postgres import PostgresStore
from strongroom_service.store.postgres_rules import PostgresRules
from strongroom_service.store.postgres_schema import migrate_postgres
from strongroom_service.store.sqlite import SqliteStore
from strongroom_service.store.sqlite_beside import SqliteBeside
from tests.fakes.store import FakeStore

Store = FakeStore | SqliteStore | PostgresStore
Beside = FakeStore | SqliteBeside | PostgresStore
KINDS = ("fake", "sqlite", "postgres")


@contextlib.asynccontextmanager
async def opened(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Any]:
    """The store that `request.param` names, as the service holds it."""
    if request.param == "sqlite":
        migrate(folder / "vault.db")
        with contextlib.closing(SqliteStore.open(folder / "vault.db")) as store:
            yield store
    else:
        async with opened_beside(request, folder) as other:
            yield other


@contextlib.asynccontextmanager
async def opened_beside(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Any]:
    """The store that `request.param` names, as commands beside the service hold it."""
    if request.param == "fake":
        with contextlib.closing(FakeStore()) as fake:
            yield fake
    elif request.param == "sqlite":
        migrate(folder / "vault.db")
        with contextlib.closing(SqliteBeside.open_beside(folder / "vault.db")) as beside:
            yield beside
    else:
        url = request.getfixturevalue("postgres_database")
        migrate_postgres(url)
        async with PostgresStore.open(PostgresRules(conninfo=url, single_node=True)) as postgres:
            yield postgres
