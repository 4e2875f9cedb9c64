from __future__ import annotations

import pytest

from strongroom_service.application.rows import Change, RecordRow
from strongroom_service.application.sweep import Swept, Unswept, sweep
from strongroom_service.domain.errors import KeeperUnavailable, RecordRejected
from tests.fakes.store import FakeStore


class FakeSweepKeeper:
    """Says of each record what a test tells it to; a change is that of the row presented."""

    def __init__(self, verdicts: dict[bytes, Unswept | Exception | None]) -> None:
        self.verdicts = verdicts
        self.asked: list[bytes] = []

    async def sweep(self, row: RecordRow) -> Change | Unswept:
        self.asked.append(row.record_id)
        verdict = self.verdicts.get(row.record_id, Unswept.NOTHING_DUE)
        if isinstance(verdict, Exception):
            raise verdict
        return change(row.record_id, row.version + 1) if verdict is None else verdict


def change(record_id: bytes, version: int) -> Change:
    return Change(record_id=record_id, version=version, at=1, sealed_record=b"swept", sealed_event=b"event")


def record_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


async def filled(records: int) -> FakeStore:
    store = FakeStore()
    for number in range(records):
        await store.commit(change(record_id(number), 1))
    return store


async def test_every_record_is_looked_at_once_and_what_is_due_is_committed() -> None:
    store = await filled(600)  # more than two pages
    keeper = FakeSweepKeeper({record_id(3): None, record_id(599): None, record_id(300): Unswept.MOVED_ON})
    assert await sweep(store, keeper=keeper) == Swept(looked_at=600, erased=2, moved_on=1)
    assert keeper.asked == [record_id(number) for number in range(600)]
    assert {number for number in range(600) if store.records[record_id(number)].version == 2} == {3, 599}


async def test_change_that_comes_between_wins() -> None:
    store = await filled(2)

    class Racing(FakeSweepKeeper):
        async def sweep(self, row: RecordRow) -> Change | Unswept:
            verdict = await super().sweep(row)
            if row.record_id == record_id(0):
                await store.commit(change(row.record_id, row.version + 1))
            return verdict

    keeper = Racing({record_id(0): None, record_id(1): None})
    assert await sweep(store, keeper=keeper) == Swept(looked_at=2, erased=1, moved_on=1)
    assert [row.version for row in store.records.values()] == [2, 2]


@pytest.mark.parametrize("fault", [RecordRejected("altered"), KeeperUnavailable("gone")])
async def test_fault_ends_the_sweep_and_what_was_swept_stays(fault: Exception) -> None:
    store = await filled(3)
    keeper = FakeSweepKeeper({record_id(0): None, record_id(1): fault, record_id(2): None})
    with pytest.raises(type(fault)):
        await sweep(store, keeper=keeper)
    assert [row.version for row in store.records.values()] == [2, 1, 1]
