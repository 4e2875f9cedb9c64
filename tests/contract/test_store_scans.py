"""What every store keeps to when all of it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from strongroom_service.application.rows import Change
from strongroom_service.domain.errors import StoreUnavailable
from strongroom_service.store.postgres import PostgresStore
from tests.contract.sqlite_hand import raw
from tests.contract.stores import KINDS, Store, opened
from tests.fakes.store import FakeStore


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request, tmp_path) as store:
        yield store


def record_id(number: int) -> bytes:
    return bytes([number]) * 32


async def fill(store: Store, *, records: int, versions: int) -> None:
    for version in range(1, versions + 1):
        for number in range(records, 0, -1):
            change = Change(
                record_id=record_id(number),
                version=version,
                at=1_700_000_000_000 + version,
                sealed_record=b"record",
                sealed_event=f"event {number} {version}".encode(),
            )
            await store.commit(change)


async def test_record_ids_come_in_order_and_in_parts(store: Store) -> None:
    await fill(store, records=7, versions=2)
    seen: list[tuple[bytes, ...]] = []
    after = b""
    while part := await store.scan_record_ids(after=after, limit=3):
        seen.append(part)
        after = part[-1]
    assert [len(part) for part in seen] == [3, 3, 1]
    assert [each for part in seen for each in part] == [record_id(number) for number in range(1, 8)]


async def test_scan_of_nothing_is_empty(store: Store) -> None:
    assert await store.scan_record_ids(after=b"", limit=10) == ()
    assert await store.scan_events(record_id(1), after_version=0, limit=10) == ()


async def test_events_come_oldest_first_and_go_on_where_the_last_part_ended(store: Store) -> None:
    await fill(store, records=2, versions=5)
    first = await store.scan_events(record_id(2), after_version=0, limit=3)
    rest = await store.scan_events(record_id(2), after_version=first[-1].version, limit=3)
    assert [event.version for event in (*first, *rest)] == [1, 2, 3, 4, 5]
    assert [event.sealed for event in rest] == [b"event 2 4", b"event 2 5"]
    assert {event.record_id for event in (*first, *rest)} == {record_id(2)}
    assert rest[0].at == 1_700_000_000_004
    assert await store.scan_events(record_id(2), after_version=2**64 - 1, limit=3) == ()


@pytest.mark.parametrize("limit", [0, -1])
async def test_no_more_than_asked_for(store: Store, limit: int) -> None:
    await fill(store, records=1, versions=1)
    assert await store.scan_record_ids(after=b"", limit=limit) == ()
    assert await store.scan_events(record_id(1), after_version=0, limit=limit) == ()


async def test_closed_store_is_unavailable_to_scans(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable):
        await store.scan_record_ids(after=b"", limit=1)
    with pytest.raises(StoreUnavailable):
        await store.scan_events(record_id(1), after_version=0, limit=1)


async def test_record_that_has_lost_its_row_or_its_events_is_still_found(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await fill(store, records=2, versions=1)
    if isinstance(store, FakeStore):
        del store.records[record_id(1)]
        del store.events[record_id(2)]
    elif isinstance(store, PostgresStore):
        with psycopg.connect(request.getfixturevalue("postgres_database")) as connection:
            connection.execute("DELETE FROM records WHERE record_id = %s", (record_id(1),))
            connection.execute("DELETE FROM events WHERE record_id = %s", (record_id(2),))
    else:
        with raw(tmp_path / "vault.db") as file:
            file.execute("DELETE FROM records WHERE record_id = ?", (record_id(1),))
            file.execute("DELETE FROM events WHERE record_id = ?", (record_id(2),))
    assert await store.scan_record_ids(after=b"", limit=10) == (record_id(1), record_id(2))
