"""Histories of opaque events in a store in memory, and every way to spoil one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from strongroom_service.application.rows import Change, EventRow
from strongroom_service.domain.checkpoints import Leaf
from strongroom_service.domain.records import GENESIS_HEAD, next_head
from tests.fakes.store import FakeStore

AT = 1_700_000_000_000


def record_id(number: int) -> bytes:
    return bytes([number]) * 32


@dataclass(frozen=True)
class Histories:
    """A store with records 1, 2, ... whose events a test may spoil; `leaf` is of the honest ones."""

    store: FakeStore
    heads: dict[tuple[bytes, int], bytes]

    @classmethod
    async def make(cls, *, records: int = 3, versions: int = 6) -> Histories:
        histories = cls(FakeStore(), {})
        for number in range(1, records + 1):
            for _ in range(versions):
                await histories.append(number)
        return histories

    async def append(self, number: int) -> None:
        row = self.store.records.get(record_id(number))
        version = 1 if row is None else row.version + 1
        sealed = f"event {number} {version}".encode()
        previous = self.heads.get((record_id(number), version - 1), GENESIS_HEAD)
        self.heads[(record_id(number), version)] = next_head(previous, sealed)
        await self.store.commit(
            Change(record_id=record_id(number), version=version, at=AT, sealed_record=b"record", sealed_event=sealed)
        )

    def leaf(self, number: int, version: int) -> Leaf:
        return Leaf(record_id(number), version, self.heads[(record_id(number), version)])

    def events(self, number: int) -> list[EventRow]:
        return self.store.events[record_id(number)]

    def remove(self, number: int, version: int) -> None:
        self.events(number).pop(version - 1)

    def cut(self, number: int, versions: int) -> None:
        del self.events(number)[-versions:]

    def put(self, number: int, version: int, sealed: bytes) -> None:
        """Put other bytes in the place of an event that is there."""
        self.events(number)[version - 1] = replace(self.events(number)[version - 1], sealed=sealed)

    def sealed(self, number: int, version: int) -> bytes:
        return self.events(number)[version - 1].sealed

    def exchange(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        first, second = self.sealed(*one), self.sealed(*other)
        self.put(*one, second)
        self.put(*other, first)

    def put_row_back(self, number: int, version: int) -> None:
        row = self.store.records[record_id(number)]
        self.store.records[record_id(number)] = replace(row, version=version)
