"""PostgreSQL for the tests of its store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from strongroom_service.store.postgres import PostgresStore
from strongroom_service.store.postgres_rules import PostgresRules
from strongroom_service.store.postgres_schema import migrate_postgres
from tests.fixtures.postgres import PostgresServer, own_postgres


@pytest.fixture
def rules(postgres_database: str) -> PostgresRules:
    migrate_postgres(postgres_database)
    return PostgresRules(conninfo=postgres_database, single_node=True)


@pytest.fixture
async def store(rules: PostgresRules) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(rules) as opened:
        yield opened


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server
