"""What every store keeps to when the one sequence of commits is read, and when older databases come to have one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from strongroom_service.application.rows import Change
from strongroom_service.domain.errors import StoreUnavailable, VersionConflict
from strongroom_service.store import migrations
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteStore
from tests.contract.sqlite_hand import raw
from tests.contract.stores import KINDS, Store, opened


def sqlite(folder: Path) -> SqliteStore:
    migrate(folder / "vault.db")
    return SqliteStore.open(folder / "vault.db")


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request, tmp_path) as store:
        yield store


def record_id(number: int) -> bytes:
    return bytes([number]) * 32


def change(number: int, version: int) -> Change:
    return Change(
        record_id=record_id(number),
        version=version,
        at=1_700_000_000_000,  # all at once: time does not order them
        sealed_record=b"record",
        sealed_event=f"event {number} {version}".encode(),
    )


ORDER = [(3, 1), (1, 1), (3, 2), (2, 1), (1, 2), (3, 3)]


async def fill(store: Store) -> None:
    for number, version in ORDER:
        await store.commit(change(number, version))


async def walk(store: Store, *, limit: int) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    after = 0
    while page := await store.load_feed(after_position=after, limit=limit):
        assert len(page) <= limit
        told.extend((row.record_id[0], row.version) for row in page)
        after = page[-1].position
    return told


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
async def test_feed_is_every_commit_in_its_order(store: Store, limit: int) -> None:
    await fill(store)
    assert await walk(store, limit=limit) == ORDER


async def test_positions_rise_and_begin_above_nothing(store: Store) -> None:
    await fill(store)
    positions = [row.position for row in await store.load_feed(after_position=0, limit=100)]
    assert positions == sorted(set(positions))
    assert positions[0] >= 1


async def test_row_of_the_feed_is_the_event(store: Store) -> None:
    await fill(store)
    row = (await store.load_feed(after_position=0, limit=1))[0]
    assert (row.record_id, row.version, row.sealed) == (record_id(3), 1, b"event 3 1")


async def test_end_of_the_feed_is_empty_until_something_is_committed(store: Store) -> None:
    assert await store.load_feed(after_position=0, limit=10) == ()
    await fill(store)
    last = (await store.load_feed(after_position=0, limit=100))[-1].position
    assert await store.load_feed(after_position=last, limit=10) == ()
    await store.commit(change(9, 1))
    (new,) = await store.load_feed(after_position=last, limit=10)
    assert (new.record_id, new.position > last) == (record_id(9), True)


async def test_lost_race_is_not_in_the_feed(store: Store) -> None:
    await fill(store)
    with pytest.raises(VersionConflict):
        await store.commit(change(1, 1))
    assert await walk(store, limit=100) == ORDER


async def test_commits_made_at_once_are_each_there_once(store: Store) -> None:
    await asyncio.gather(*(store.commit(change(number, 1)) for number in range(1, 60)))
    told = await walk(store, limit=7)
    assert sorted(told) == [(number, 1) for number in range(1, 60)]


@pytest.mark.parametrize("position", [2**63 - 1, 2**63, 2**64 - 1])
async def test_position_that_a_forged_cursor_names_finds_nothing(store: Store, position: int) -> None:
    await fill(store)
    assert await store.load_feed(after_position=position, limit=10) == ()


@pytest.mark.parametrize("limit", [0, -1])
async def test_no_more_than_asked_for(store: Store, limit: int) -> None:
    await fill(store)
    assert await store.load_feed(after_position=0, limit=limit) == ()


async def test_closed_store_is_unavailable_to_the_feed(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable):
        await store.load_feed(after_position=0, limit=1)


# SQLite alone


async def test_position_is_never_given_twice_even_when_the_newest_events_are_removed(tmp_path: Path) -> None:
    """A tenant whose cursor stands there would never see what came in their place."""
    store = sqlite(tmp_path)
    await fill(store)
    before = (await store.load_feed(after_position=0, limit=100))[-1].position
    with raw(tmp_path / "vault.db") as connection:
        connection.execute("DELETE FROM events WHERE record_id = ?", (record_id(3),))
    await store.commit(change(9, 1))
    (new,) = await store.load_feed(after_position=before, limit=10)
    assert new.record_id == record_id(9)
    store.close()


async def test_migration_keeps_the_events_in_the_order_of_their_commits(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    first = (resources.files(migrations) / "0001_first.sql").read_text(encoding="utf-8")
    with raw(path) as connection:
        connection.executescript(first)
        connection.execute("INSERT INTO schema_version (version) VALUES (1)")
        for number, version in ORDER:
            row = change(number, version)
            connection.execute(
                "INSERT INTO events (record_id, version, at, sealed) VALUES (?, ?, ?, ?)",
                (row.record_id, row.version, row.at, row.sealed_event),
            )
            connection.execute(
                "INSERT INTO records (record_id, version, sealed) VALUES (?, ?, ?) "
                "ON CONFLICT (record_id) DO UPDATE SET version = excluded.version",
                (row.record_id, row.version, row.sealed_record),
            )
    path.chmod(0o600)
    assert migrate(path) == 1
    with contextlib.closing(SqliteStore.open(path)) as store:
        assert await walk(store, limit=2) == ORDER
        await store.commit(change(3, 4))
        assert (await walk(store, limit=100))[-1] == (3, 4)
        loaded = await store.load_events(record_id(3), before_version=3, limit=10)
        assert [(event.version, event.at) for event in loaded] == [(2, 1_700_000_000_000), (1, 1_700_000_000_000)]
