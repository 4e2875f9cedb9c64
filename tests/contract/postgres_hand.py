"""A hand on PostgreSQL beside the store under test."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.postgres import PostgresStore
from strongroom_service.store.postgres_rules import PostgresRules
from strongroom_service.store.postgres_schema import migrate_postgres
from tests.fixtures.postgres import PostgresServer

PATIENCE_SECONDS = 20.0


def migrated(server: PostgresServer) -> PostgresRules:
    url = server.url(server.create_database())
    migrate_postgres(url)
    return PostgresRules(conninfo=url, single_node=True)


@contextlib.contextmanager
def hand(rules: PostgresRules) -> Iterator[psycopg.Connection]:
    """Somebody else's connection, in a transaction of its own."""
    with contextlib.closing(psycopg.connect(rules.conninfo)) as connection:
        yield connection


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.02)


def waiting_for(server: PostgresServer, event_name: str) -> list[int]:
    """Process ids of the backends that wait for that, in PostgreSQL's words."""
    found = server.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = %s", event_name)
    return [pid for (pid,) in found]


async def refused_to_open(rules: PostgresRules) -> str:
    with pytest.raises((Misconfigured, StoreUnavailable)) as told:
        async with PostgresStore.open(rules):
            pass
    return str(told.value)


def local_database(server: PostgresServer) -> PostgresRules:
    """A database on a server whose standby is never there, made without waiting for it."""
    name = server.create_database()
    url = server.url(name)
    migrate_postgres(f"{url}?options=-csynchronous_commit%3Dlocal")
    return PostgresRules(conninfo=url)


def shown(server: PostgresServer) -> str:
    return str(server.execute("SHOW synchronous_standby_names")[0][0])


def rolled_back(server: PostgresServer, database: str) -> int:
    return int(server.execute("SELECT xact_rollback FROM pg_stat_database WHERE datname = %s", database)[0][0])
