"""What PostgreSQL can do to a commit, and what the store makes of it. Every trap is first shown to be one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from strongroom_service.domain.errors import Fault, OutcomeUnknown, StoreUnavailable
from strongroom_service.store.postgres import PostgresStore
from strongroom_service.store.postgres_errors import Refused
from strongroom_service.store.postgres_rules import PostgresRules
from tests.contract.postgres_hand import (
    hand,
    local_database,
    migrated,
    refused_to_open,
    rolled_back,
    shown,
    until,
    waiting_for,
)
from tests.contract.test_store import change, events, outcomes, record_id
from tests.fixtures.postgres import PostgresServer, own_postgres

# Commits whose outcome nobody knows


async def test_commit_that_no_standby_confirms_is_unknown_after_the_deadline_and_counts_if_it_landed() -> None:
    with own_postgres({"synchronous_standby_names": "nobody"}) as server:
        rules = replace(local_database(server), deadline_seconds=1.0)
        async with PostgresStore.open(rules) as store:
            assert await outcomes(store, change("a", 1)) == [OutcomeUnknown]
        # The statement was not cancelled: it still waits, and stands as soon as it may.
        assert len(waiting_for(server, "SyncRep")) == 1
        server.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        server.execute("SELECT pg_reload_conf()")
        await until(lambda: not waiting_for(server, "SyncRep"), "the wait for a standby ends")
        async with PostgresStore.open(replace(rules, single_node=True)) as store:
            assert await store.load_record(record_id("a")) == change("a", 1).record


async def test_wait_for_a_standby_that_somebody_cancels_is_unknown_though_postgresql_says_success() -> None:
    with own_postgres({"synchronous_standby_names": "nobody"}) as server:
        rules = local_database(server)

        def cancel() -> None:
            for pid in waiting_for(server, "SyncRep"):
                server.execute("SELECT pg_cancel_backend(%s)", pid)

        def insert() -> int:
            with psycopg.connect(rules.conninfo, autocommit=True) as connection:
                return connection.execute("INSERT INTO vault (id, version, sealed) VALUES (1, 1, 'x')").rowcount

        control = asyncio.create_task(asyncio.to_thread(insert))
        await until(lambda: bool(waiting_for(server, "SyncRep")), "the control waits")
        cancel()
        assert await control == 1  # the trap: acknowledged, on this server alone

        database = rules.conninfo.rpartition("/")[2]
        server.execute("SET synchronous_commit = local; DELETE FROM vault", database=database)
        async with PostgresStore.open(rules) as store:
            caller = asyncio.create_task(outcomes(store, change("a", 1)))
            await until(lambda: bool(waiting_for(server, "SyncRep")), "the commit waits")
            cancel()
            assert await caller == [OutcomeUnknown]
            cancelling = asyncio.create_task(store.confirm(change("a", 1).record))
            await until(lambda: bool(waiting_for(server, "SyncRep")), "the confirmation waits: the row is not safe yet")
            cancel()
            with pytest.raises(OutcomeUnknown):
                await cancelling


async def test_what_is_read_first_is_confirmed_by_the_standbys() -> None:
    """A server that crashed and came back shows commits that a failover would take back."""
    with own_postgres({"synchronous_standby_names": "nobody"}) as server:
        rules = local_database(server)
        server.execute(
            "SET synchronous_commit = local; INSERT INTO vault (id, version, sealed) VALUES (1, 1, 'x')",
            database=rules.conninfo.rpartition("/")[2],
        )
        assert "no answer within" in await refused_to_open(replace(rules, deadline_seconds=1.0))


async def test_standbys_that_are_taken_away_under_a_connection_make_its_commits_unknown() -> None:
    with own_postgres({"synchronous_standby_names": "nobody"}) as server:
        async with PostgresStore.open(local_database(server)) as store:
            server.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            server.execute("SELECT pg_reload_conf()")
            await until(lambda: shown(server) == "", "the setting is in force")
            assert await outcomes(store, change("a", 1)) == [OutcomeUnknown]
            assert await outcomes(store, change("b", 1)) == [OutcomeUnknown]  # by the other connection
            assert await outcomes(store, change("c", 1)) == [StoreUnavailable]
            with pytest.raises(StoreUnavailable, match="synchronous_standby_names is empty"):
                await store.check()


def put(rules: PostgresRules, statement: str, record_id: bytes) -> None:
    """What stands on this server alone."""
    with hand(rules) as connection:
        connection.execute("SET synchronous_commit = local")
        connection.execute(statement.encode(), (record_id,))
        connection.commit()


async def test_standbys_that_are_taken_away_confirm_nothing_and_place_nothing() -> None:
    with own_postgres({"synchronous_standby_names": "nobody"}) as server:
        rules = local_database(server)
        database = rules.conninfo.rpartition("/")[2]
        row = change("a", 1)
        put(rules, "INSERT INTO records (record_id, version, sealed) VALUES (%s, 1, 'x')", row.record_id)
        async with PostgresStore.open(rules) as store, PostgresStore.open(rules) as other:
            assert await store.load_vault() is None  # both are connected while the standbys are named
            assert await other.load_vault() is None
            server.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            server.execute("SELECT pg_reload_conf()")
            await until(lambda: shown(server) == "", "the setting is in force")
            with pytest.raises(OutcomeUnknown):
                await store.confirm(row.record)
            put(rules, "INSERT INTO feed_waiting (record_id, version) VALUES (%s, 1)", row.record_id)
            with pytest.raises(StoreUnavailable, match="synchronous_standby_names is empty"):
                await other.load_feed(after_position=0, limit=1)
            assert server.execute("SELECT count(*) FROM feed", database=database) == [(0,)]


async def test_commit_under_way_when_the_server_dies_is_unknown_and_the_store_recovers(
    own_server: PostgresServer,
) -> None:
    rules = migrated(own_server)
    async with PostgresStore.open(rules) as store:
        await store.commit(change("a", 1))
        with hand(rules) as other:
            other.execute("SELECT 1 FROM records WHERE record_id = %s FOR UPDATE", (record_id("a"),))
            caller = asyncio.create_task(outcomes(store, change("a", 2)))
            await until(lambda: bool(waiting_for(own_server, "transactionid")), "the commit waits for the lock")
            own_server.kill()
            assert await caller == [OutcomeUnknown]
        with pytest.raises(StoreUnavailable):
            await store.load_record(record_id("a"))
        assert await outcomes(store, change("a", 2)) == [StoreUnavailable]
        own_server.start()
        assert await store.load_record(record_id("a")) == change("a", 1).record
        await store.commit(change("a", 2))


async def test_connections_that_ended_while_nobody_used_them_cost_no_commit(own_server: PostgresServer) -> None:
    rules = migrated(own_server)
    async with PostgresStore.open(rules) as store:
        await store.commit(change("a", 1))
        own_server.stop()
        own_server.start()
        names = [f"account {number}" for number in range(40)]
        assert set(await outcomes(store, *(change(name, 1) for name in names))) == {None}
        assert await store.load_record(record_id("a")) == change("a", 1).record


async def test_caller_who_gives_up_does_not_cancel_the_commit(
    rules: PostgresRules, store: PostgresStore, postgres_server: PostgresServer
) -> None:
    await store.commit(change("a", 1))
    with hand(rules) as other:
        other.execute("SELECT 1 FROM records WHERE record_id = %s FOR UPDATE", (record_id("a"),))
        caller = asyncio.create_task(store.commit(change("a", 2)))
        await until(lambda: bool(waiting_for(postgres_server, "transactionid")), "the commit waits for the lock")
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert len(waiting_for(postgres_server, "transactionid")) == 1
        other.rollback()
    await store.commit(change("a", 3))  # queued behind it
    assert [past.version for past in await events(store, "a")] == [3, 2, 1]


# What is certainly rolled back


async def test_only_what_postgresql_rolled_back_for_another_is_tried_again(
    rules: PostgresRules, postgres_server: PostgresServer
) -> None:
    database = rules.conninfo.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    async with PostgresStore.open(rules) as store:
        await store.commit(change("a", 1))
        with hand(rules) as other:
            other.execute("UPDATE records SET sealed = sealed WHERE record_id = %s", (record_id("a"),))
            caller = asyncio.create_task(outcomes(store, change("a", 2)))
            await until(lambda: bool(waiting_for(postgres_server, "transactionid")), "the commit waits for the lock")
            other.commit()  # the waiting one fails with 40001
        assert await caller == [None]
    assert rolled_back(postgres_server, database) > 0


async def test_change_that_the_database_refuses_does_not_take_its_neighbours_with_it(
    rules: PostgresRules, store: PostgresStore
) -> None:
    names = [f"account {number}" for number in range(20)]
    await outcomes(store, *(change(name, 1) for name in names))
    with hand(rules) as other:  # a row that was put back: its next change would be a second event of one version
        forged = change(names[7], 2, "forged")
        other.execute(
            "INSERT INTO events (record_id, version, at, sealed) VALUES (%s, 2, 0, %s)",
            (forged.record_id, forged.sealed_event),
        )
        other.commit()
    done = await outcomes(store, *(change(name, 2) for name in names))
    assert done == [Refused if name == names[7] else None for name in names]
    assert await store.load_record(record_id(names[7])) == change(names[7], 1).record


async def test_refusal_does_not_quote_the_row(rules: PostgresRules, store: PostgresStore) -> None:
    await store.commit(change("a", 1))
    with hand(rules) as other:
        other.execute("UPDATE records SET version = 7 WHERE record_id = %s", (record_id("a"),))
        other.execute("INSERT INTO events (record_id, version, at, sealed) VALUES (%s, 8, 0, 'x')", (record_id("a"),))
        other.commit()
    with pytest.raises(Fault) as told:
        await store.commit(change("a", 8))
    assert record_id("a").hex() not in str(told.value)
    assert "UniqueViolation (23505)" in str(told.value)
