"""Which PostgreSQL is fit to serve from, and what replicas that share one keep to."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.errors import VersionConflict
from strongroom_service.store.postgres import PostgresStore
from strongroom_service.store.postgres_rules import PostgresRules
from strongroom_service.store.postgres_schema import KNOWN_VERSION
from tests.contract.postgres_hand import (
    PATIENCE_SECONDS,
    hand,
    migrated,
    refused_to_open,
    until,
    waiting_for,
)
from tests.contract.test_store import change, event, events, record_id
from tests.fixtures.postgres import PostgresServer, own_postgres

# At connecting


@pytest.mark.parametrize("setting", ["off", "local", "remote_write"])
async def test_weak_commits_are_not_served_with(
    rules: PostgresRules, postgres_server: PostgresServer, setting: str
) -> None:
    database = rules.conninfo.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {database} SET synchronous_commit = {setting}")
    assert f"synchronous_commit is {setting}" in await refused_to_open(rules)


async def test_remote_apply_is_served_with_where_on_is_asked_for_and_not_the_other_way_round(
    rules: PostgresRules, postgres_server: PostgresServer
) -> None:
    assert "synchronous_commit is on" in await refused_to_open(replace(rules, synchronous_commit="remote_apply"))
    database = rules.conninfo.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {database} SET synchronous_commit = remote_apply")
    async with PostgresStore.open(rules) as store:
        await store.check()


async def test_server_without_a_named_standby_is_not_served_with_unless_told_to(rules: PostgresRules) -> None:
    assert "synchronous_standby_names is empty" in await refused_to_open(replace(rules, single_node=False))


async def test_database_without_a_schema_says_how_to_make_it(postgres_database: str) -> None:
    told = await refused_to_open(PostgresRules(conninfo=postgres_database, single_node=True))
    assert "run `strongroomd migrate`" in told


async def test_database_of_a_newer_release_is_not_served_with(rules: PostgresRules) -> None:
    with hand(rules) as connection:
        newer = KNOWN_VERSION + 1
        connection.execute("INSERT INTO schema_version (version, serves_from) VALUES (%s, %s)", (newer, newer))
        connection.commit()
    assert "newer than this release" in await refused_to_open(rules)


async def test_database_that_a_newer_release_has_only_expanded_is_served_with(rules: PostgresRules) -> None:
    """While replicas are replaced one by one, old and new ones serve from one database."""
    with hand(rules) as connection:
        newer = KNOWN_VERSION + 1
        connection.execute("INSERT INTO schema_version (version, serves_from) VALUES (%s, %s)", (newer, KNOWN_VERSION))
        connection.execute("ALTER TABLE records ADD COLUMN of_a_newer_release BIGINT")
        connection.commit()
    async with PostgresStore.open(rules) as store:
        await store.commit(change("a", 1))
        assert await store.load_record(record_id("a")) == change("a", 1).record


async def test_server_that_does_not_sync_is_not_served_with() -> None:
    with own_postgres({"fsync": "off"}) as server:
        assert "fsync" in await refused_to_open(migrated(server))


async def test_server_that_is_not_there_is_unavailable(own_server: PostgresServer) -> None:
    rules = migrated(own_server)
    own_server.stop()
    assert "cannot connect" in await refused_to_open(rules)


async def test_host_that_does_not_answer_is_passed_over_soon(rules: PostgresRules) -> None:
    """As one whose cable was cut: it takes the connection, by its kernel or not at all, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hosts = rules.conninfo.replace("@127.0.0.1:", f"@127.0.0.1:{port},127.0.0.1:")
        async with asyncio.timeout(PATIENCE_SECONDS), PostgresStore.open(replace(rules, conninfo=hosts)) as store:
            await store.commit(change("a", 1))


# Replicas


def another(rules: PostgresRules) -> AbstractAsyncContextManager[PostgresStore]:
    return PostgresStore.open(rules)


async def test_of_the_racing_changes_of_three_replicas_one_wins_at_each_version(rules: PostgresRules) -> None:
    async with another(rules) as one, another(rules) as two, another(rules) as three:
        for version in (1, 2, 3):
            racing = [(store, change("a", version, f"{index}")) for index, store in enumerate((one, two, three) * 20)]
            done = await asyncio.gather(*(store.commit(each) for store, each in racing), return_exceptions=True)
            assert sorted(type(each).__name__ for each in done) == ["NoneType"] + ["VersionConflict"] * 59
            [winner] = [each for (_, each), answer in zip(racing, done, strict=True) if answer is None]
            assert await three.load_record(record_id("a")) == winner.record
        assert [past.version for past in await events(two, "a")] == [3, 2, 1]


async def test_rows_are_locked_in_the_order_of_their_keys(
    rules: PostgresRules, postgres_server: PostgresServer
) -> None:
    """Two replicas that lock the same rows in different orders would wait for each other in a circle."""
    names = [f"account {number}" for number in range(20)]
    keys = sorted(map(record_id, names))
    async with another(rules) as one:
        await asyncio.gather(*(one.commit(change(name, 1)) for name in names))
        with hand(rules) as holder, hand(rules) as looker:
            holder.execute("SELECT 1 FROM records WHERE record_id = %s FOR UPDATE", (keys[10],))
            committing = asyncio.gather(*(one.commit(change(name, 2)) for name in names))
            await until(lambda: bool(waiting_for(postgres_server, "transactionid")), "the commit waits")
            free = looker.execute("SELECT record_id FROM records ORDER BY record_id FOR UPDATE SKIP LOCKED").fetchall()
            assert [bytes(key) for (key,) in free] == keys[11:]
            looker.rollback()
            holder.rollback()
        await committing


async def test_replicas_that_change_the_same_records_in_any_order_each_win_or_lose(rules: PostgresRules) -> None:
    names = [f"account {number}" for number in range(30)]
    chance = random.Random(7)
    async with another(rules) as one, another(rules) as two:
        for version in range(1, 9):
            calls = [(store, name) for store in (one, two) for name in chance.sample(names, len(names))]
            done = await asyncio.gather(
                *(store.commit(change(name, version)) for store, name in calls), return_exceptions=True
            )
            assert {type(each) for each in done} <= {type(None), VersionConflict}
            won = [name for (_, name), answer in zip(calls, done, strict=True) if answer is None]
            assert sorted(won) == sorted(names)


async def test_vault_row_of_two_replicas_moves_on_once(rules: PostgresRules) -> None:
    async with another(rules) as one, another(rules) as two:
        rows = [VaultRow(version=1, sealed=name) for name in (b"one", b"two")]
        done = await asyncio.gather(one.commit_vault(rows[0]), two.commit_vault(rows[1]), return_exceptions=True)
        assert sorted(type(each).__name__ for each in done) == ["NoneType", "VersionConflict"]
        assert await one.load_vault() == await two.load_vault() == rows[done.index(None)]


async def test_feed_never_passes_a_commit_that_is_still_under_way(rules: PostgresRules) -> None:
    async with another(rules) as one, another(rules) as two:
        with hand(rules) as slow:
            late = change("late", 1)
            slow.execute("INSERT INTO records VALUES (%s, 1, %s)", (late.record_id, late.sealed_record))
            slow.execute("INSERT INTO events VALUES (%s, 1, %s, %s)", (late.record_id, late.at, late.sealed_event))
            slow.execute("INSERT INTO feed_waiting (record_id, version) VALUES (%s, 1)", (late.record_id,))
            await one.commit(change("early", 1))
            [seen] = await two.load_feed(after_position=0, limit=10)
            assert seen.record_id == record_id("early")
            slow.commit()
        [then] = await one.load_feed(after_position=seen.position, limit=10)
        assert (then.record_id, then.position > seen.position) == (late.record_id, True)


async def test_reader_of_the_feed_waits_for_another_who_is_placing_events(
    rules: PostgresRules, postgres_server: PostgresServer
) -> None:
    async with another(rules) as one:
        await one.commit(change("a", 1))
        await one.commit(change("b", 1))
        with hand(rules) as other:
            other.execute("SELECT position FROM feed_end FOR UPDATE")
            other.execute("DELETE FROM feed_waiting WHERE record_id = %s", (record_id("a"),))
            other.execute("INSERT INTO feed (position, record_id, version) VALUES (1, %s, 1)", (record_id("a"),))
            other.execute("UPDATE feed_end SET position = 1")
            reading = asyncio.create_task(one.load_feed(after_position=0, limit=10))
            await until(lambda: bool(waiting_for(postgres_server, "transactionid")), "the reader waits")
            other.commit()
        assert [(row.position, row.record_id) for row in await reading] == [(1, record_id("a")), (2, record_id("b"))]


async def test_reader_of_a_long_feed_takes_it_in_parts_and_others_pass_between(
    rules: PostgresRules, postgres_server: PostgresServer
) -> None:
    """A tenant's first look after a year must not keep the health check, and whoever confirms, waiting to its end."""
    database = rules.conninfo.rpartition("/")[2]
    postgres_server.execute(
        "INSERT INTO feed_waiting (record_id, version) SELECT '\\x01', number FROM generate_series(1, 2500) AS number",
        database=database,
    )
    async with another(rules) as one:
        left = []
        for _ in range(4):
            await one.load_feed(after_position=0, limit=1)
            left += postgres_server.execute("SELECT count(*) FROM feed_waiting", database=database)
        assert left == [(1500,), (500,), (0,), (0,)]
        assert postgres_server.execute("SELECT max(position), count(*) FROM feed", database=database) == [(2500, 2500)]


async def test_feed_that_many_read_while_others_commit_has_every_event_once(rules: PostgresRules) -> None:
    async def follow(store: PostgresStore, told: list[tuple[bytes, int]], enough: int) -> None:
        position = 0
        while len(told) < enough:
            page = await store.load_feed(after_position=position, limit=7)
            told.extend((row.record_id, row.version) for row in page)
            position = page[-1].position if page else position
            await asyncio.sleep(0)

    async def write(store: PostgresStore, names: list[str]) -> None:
        for version in (1, 2, 3):
            await asyncio.gather(*(store.commit(change(name, version)) for name in names))

    names = [f"account {number}" for number in range(40)]
    told: tuple[list[tuple[bytes, int]], list[tuple[bytes, int]]] = ([], [])
    async with another(rules) as one, another(rules) as two:
        await asyncio.wait_for(
            asyncio.gather(
                write(one, names[:20]), write(two, names[20:]), follow(one, told[0], 120), follow(two, told[1], 120)
            ),
            timeout=PATIENCE_SECONDS,
        )
    expected = sorted((record_id(name), version) for name in names for version in (1, 2, 3))
    assert told[0] == told[1]
    assert sorted(told[0]) == expected
    for name in names:
        assert [version for key, version in told[0] if key == record_id(name)] == [1, 2, 3]


async def test_event_of_a_record_follows_its_row(rules: PostgresRules) -> None:
    async with another(rules) as one:
        await one.commit(change("a", 1))
    async with another(rules) as two:
        await two.commit(change("a", 2))
        assert await events(two, "a") == (event(change("a", 2)), event(change("a", 1)))
