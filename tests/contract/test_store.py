"""What every store keeps to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from strongroom_service.application.rows import Change, EventRow, VaultRow
from strongroom_service.domain.errors import StoreUnavailable, VersionConflict
from tests.contract.stores import KINDS, Store, opened

NEWEST = 2**64 - 1


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request, tmp_path) as store:
        yield store


def record_id(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def change(name: str, version: int, mark: str = "") -> Change:
    return Change(
        record_id=record_id(name),
        version=version,
        at=1_700_000_000_000 + version,
        sealed_record=f"record {name} {version} {mark}".encode() * 40,
        sealed_event=f"event {name} {version} {mark}".encode() * 40,
    )


def event(of: Change) -> EventRow:
    return EventRow(record_id=of.record_id, version=of.version, at=of.at, sealed=of.sealed_event)


async def outcomes(store: Store, *rows: Change | VaultRow) -> list[type[BaseException] | None]:
    """Commit all `rows` at once; None for each that was acknowledged, else the class of its error."""
    calls = [store.commit(row) if isinstance(row, Change) else store.commit_vault(row) for row in rows]
    return [None if done is None else type(done) for done in await asyncio.gather(*calls, return_exceptions=True)]


async def events(store: Store, name: str) -> tuple[EventRow, ...]:
    return await store.load_events(record_id(name), before_version=NEWEST, limit=10_000)


async def test_no_row_before_the_first_commit(store: Store) -> None:
    assert await store.load_record(record_id("a")) is None
    assert await events(store, "a") == ()
    assert await store.load_vault() is None


async def test_committed_change_is_read_back_with_its_event(store: Store) -> None:
    await store.commit(change("a", 1))
    await store.commit(change("a", 2))

    assert await store.load_record(record_id("a")) == change("a", 2).record
    assert await events(store, "a") == (event(change("a", 2)), event(change("a", 1)))


@pytest.mark.parametrize("version", [1, 2, 3, 5, 6])
async def test_change_at_another_version_conflicts_and_writes_nothing(store: Store, version: int) -> None:
    for standing in (1, 2, 3):
        await store.commit(change("a", standing))

    with pytest.raises(VersionConflict):
        await store.commit(change("a", version, "loser"))

    assert await store.load_record(record_id("a")) == change("a", 3).record
    assert await events(store, "a") == tuple(event(change("a", past)) for past in (3, 2, 1))


async def test_record_without_a_row_begins_at_version_one(store: Store) -> None:
    with pytest.raises(VersionConflict):
        await store.commit(change("a", 2))

    assert await store.load_record(record_id("a")) is None
    assert await events(store, "a") == ()


async def test_row_that_stands_is_confirmed(store: Store) -> None:
    await store.commit(change("a", 1))
    await store.commit(change("a", 2))

    await store.confirm(change("a", 2).record)
    await store.confirm(change("a", 1).record)


async def test_row_that_was_taken_back_is_not_confirmed(store: Store) -> None:
    await store.commit(change("a", 1))

    for lost in (change("a", 2).record, change("b", 1).record):
        with pytest.raises(VersionConflict):
            await store.confirm(lost)


async def test_of_two_hundred_racing_changes_one_wins_at_each_version(store: Store) -> None:
    winners = []
    for version in (1, 2, 3, 4):
        racing = [change("a", version, f"caller {number}") for number in range(200)]
        done = await outcomes(store, *racing)
        assert sorted(map(str, done)) == [str(VersionConflict)] * 199 + ["None"]
        winners.append(racing[done.index(None)])
        assert await store.load_record(record_id("a")) == winners[-1].record

    assert await events(store, "a") == tuple(event(winner) for winner in reversed(winners))


async def test_changes_to_many_records_at_once_do_not_depend_on_each_other(store: Store) -> None:
    names = [f"account {number}" for number in range(120)]
    stale = set(names[::7])
    assert set(await outcomes(store, *(change(name, 1) for name in names))) == {None}
    await outcomes(store, *(change(name, 2, "first") for name in stale))

    done = await outcomes(store, *(change(name, 2, "second") for name in names))

    assert done == [VersionConflict if name in stale else None for name in names]
    for name in names:
        written = change(name, 2, "first" if name in stale else "second")
        assert await store.load_record(record_id(name)) == written.record
        assert await events(store, name) == (event(written), event(change(name, 1)))


async def test_changes_that_skip_a_version_conflict_among_others(store: Store) -> None:
    names = [f"account {number}" for number in range(60)]
    for version in (1, 2):
        await outcomes(store, *(change(name, version) for name in names))
    hasty = set(names[::5])

    done = await outcomes(store, *(change(name, 4 if name in hasty else 3) for name in names))

    assert done == [VersionConflict if name in hasty else None for name in names]
    for name in hasty:
        assert await store.load_record(record_id(name)) == change(name, 2).record
        assert [past.version for past in await events(store, name)] == [2, 1]


async def test_many_records_move_on_at_once(store: Store) -> None:
    names = [f"account {number}" for number in range(130)]
    for version in (1, 2, 3):
        assert set(await outcomes(store, *(change(name, version) for name in names))) == {None}

    for name in names:
        assert await store.load_record(record_id(name)) == change(name, 3).record
        assert [past.version for past in await events(store, name)] == [3, 2, 1]


async def test_successive_versions_of_one_record_may_wait_together(store: Store) -> None:
    waiting = [change("a", 1), change("b", 1), change("a", 2), change("a", 4), change("a", 3), change("b", 2)]

    assert await outcomes(store, *waiting) == [None, None, None, VersionConflict, None, None]

    assert await store.load_record(record_id("a")) == change("a", 3).record
    assert await store.load_record(record_id("b")) == change("b", 2).record


async def test_events_come_newest_first_in_pages(store: Store) -> None:
    for version in range(1, 11):
        await store.commit(change("a", version))
        await store.commit(change("b", version))

    async def versions(before_version: int, limit: int) -> list[int]:
        page = await store.load_events(record_id("a"), before_version=before_version, limit=limit)
        assert all(one == event(change("a", one.version)) for one in page)
        return [one.version for one in page]

    assert await versions(NEWEST, 3) == [10, 9, 8]
    assert await versions(8, 3) == [7, 6, 5]
    assert await versions(3, 100) == [2, 1]
    assert await versions(1, 100) == []


@pytest.mark.parametrize("limit", [0, -1])
async def test_page_without_room_is_empty(store: Store, limit: int) -> None:
    await store.commit(change("a", 1))

    assert await store.load_events(record_id("a"), before_version=NEWEST, limit=limit) == ()


async def test_vault_row_moves_only_to_its_next_version(store: Store) -> None:
    rows = [VaultRow(version=version, sealed=b"vault %d" % version) for version in (1, 2, 3, 4)]

    assert await outcomes(store, rows[1]) == [VersionConflict]
    assert await store.load_vault() is None
    assert await outcomes(store, rows[0], rows[0]) == [None, VersionConflict]
    assert await outcomes(store, rows[2]) == [VersionConflict]
    assert await outcomes(store, rows[1], VaultRow(version=2, sealed=b"loser")) == [None, VersionConflict]
    assert await store.load_vault() == rows[1]


async def test_vault_row_and_records_may_wait_together(store: Store) -> None:
    vault = VaultRow(version=1, sealed=b"vault")

    assert await outcomes(store, change("a", 1), vault, change("b", 1)) == [None, None, None]

    assert await store.load_vault() == vault
    assert await store.load_record(record_id("b")) == change("b", 1).record


async def test_cancelled_caller_gives_up_the_answer_and_not_the_commit(store: Store) -> None:
    callers = [asyncio.create_task(store.commit(change(f"account {number}", 1))) for number in range(20)]
    await asyncio.sleep(0)  # each has begun to wait for its answer
    for caller in callers:
        caller.cancel()
    done = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in done)

    # Stands in line behind it, and could not be committed without it.
    await asyncio.gather(*(store.commit(change(f"account {number}", 2)) for number in range(20)))

    for number in range(20):
        assert await events(store, f"account {number}") == tuple(
            event(change(f"account {number}", version)) for version in (2, 1)
        )


async def test_neighbours_of_a_cancelled_caller_get_their_answers(store: Store) -> None:
    callers = [asyncio.create_task(store.commit(change(f"account {number}", 1))) for number in range(20)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()

    done = await asyncio.gather(*callers, return_exceptions=True)

    assert done[1::2] == [None] * 10


async def test_rows_hide_what_is_sealed() -> None:
    row = change("a", 1)
    for shown in (row, row.record, event(row), VaultRow(version=1, sealed=row.sealed_record)):
        assert "record a 1" not in repr(shown)
        assert "event a 1" not in repr(shown)


async def test_open_store_passes_its_check(store: Store) -> None:
    await store.check()


async def test_closed_store_is_unavailable(store: Store) -> None:
    await store.commit(change("a", 1))
    store.close()
    store.close()

    for call in (
        store.check(),
        store.load_record(record_id("a")),
        store.load_events(record_id("a"), before_version=2, limit=1),
        store.load_vault(),
        store.commit(change("a", 2)),
        store.commit_vault(VaultRow(version=1, sealed=b"")),
    ):
        with pytest.raises(StoreUnavailable):
            await call


async def test_what_waits_when_the_store_closes_is_committed_and_answered(store: Store) -> None:
    callers = [asyncio.create_task(store.commit(change(f"account {number}", 1))) for number in range(20)]
    await asyncio.sleep(0)
    store.close()

    assert await asyncio.gather(*callers) == [None] * 20
