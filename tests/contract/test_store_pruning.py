"""What every store keeps to that old events go from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from strongroom_service.application.rows import Change, EventBase
from strongroom_service.domain.errors import StoreUnavailable
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite_beside import SqliteBeside
from tests.contract.sqlite_hand import raw
from tests.contract.stores import KINDS, Beside, opened_beside

ONE, OTHER = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Beside]:
    async with opened_beside(request, tmp_path) as store:
        yield store


async def fill(store: Beside) -> None:
    for version in range(1, 7):
        for record_id in (ONE, OTHER):
            await store.commit(
                Change(record_id=record_id, version=version, at=version, sealed_record=b"record", sealed_event=b"event")
            )


def base(version: int) -> EventBase:
    return EventBase(record_id=ONE, version=version, chain_head=bytes([version]) * 32)


async def left(store: Beside, record_id: bytes) -> list[int]:
    return [event.version for event in await store.scan_events(record_id, after_version=0, limit=10)]


async def test_events_up_to_the_base_go_and_the_base_stays(store: Beside) -> None:
    await fill(store)
    assert await store.load_base(ONE) is None
    assert await store.prune_events(base(3)) == 3
    assert await left(store, ONE) == [4, 5, 6]
    assert await store.load_base(ONE) == base(3)
    assert (await left(store, OTHER), await store.load_base(OTHER)) == ([1, 2, 3, 4, 5, 6], None)


async def test_base_moves_on(store: Beside) -> None:
    await fill(store)
    await store.prune_events(base(3))
    assert await store.prune_events(base(5)) == 2
    assert (await left(store, ONE), await store.load_base(ONE)) == ([6], base(5))


async def test_record_goes_on_after_its_old_events_are_gone(store: Beside) -> None:
    await fill(store)
    await store.prune_events(base(5))
    await store.commit(Change(record_id=ONE, version=7, at=7, sealed_record=b"record", sealed_event=b"event"))
    assert await left(store, ONE) == [6, 7]


async def test_all_or_nothing(tmp_path: Path) -> None:
    migrate(tmp_path / "vault.db")
    store = SqliteBeside.open_beside(tmp_path / "vault.db")
    await fill(store)
    with raw(tmp_path / "vault.db") as other:
        other.execute("CREATE TRIGGER refuse BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreUnavailable):
        await store.prune_events(base(3))
    assert (await left(store, ONE), await store.load_base(ONE)) == ([1, 2, 3, 4, 5, 6], None)
    store.close()
