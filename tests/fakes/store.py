"""A store in memory: honest by default, and able to fail the next commit with or without having written it."""

from __future__ import annotations

import asyncio

from strongroom_service.application.rows import Change, EventBase, EventRow, FeedRow, RecordRow, VaultRow
from strongroom_service.domain.errors import Fault, StoreUnavailable, VersionConflict


class FakeStore:
    """Passes the same contract as `SqliteStore`. Each call yields to other tasks once, as a real one does."""

    def __init__(self) -> None:
        self.records: dict[bytes, RecordRow] = {}
        self.events: dict[bytes, list[EventRow]] = {}
        self.feed: list[EventRow] = []
        self.bases: dict[bytes, EventBase] = {}
        self.vault: VaultRow | None = None
        self._closed = False
        self._next_failure: tuple[Fault, bool] | None = None

    def fail_next_commit(self, fault: Fault, *, written: bool) -> None:
        """Let the next commit raise `fault`, after writing if `written`."""
        self._next_failure = (fault, written)

    def close(self) -> None:
        self._closed = True

    async def check(self) -> None:
        await self._answer()

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        await self._answer()
        return self.records.get(record_id)

    async def confirm(self, row: RecordRow) -> None:
        await self._answer()
        standing = self.records.get(row.record_id)
        if standing is None or standing.version < row.version:
            raise VersionConflict

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        await self._answer()
        below = [event for event in reversed(self.events.get(record_id, [])) if event.version < before_version]
        return tuple(below[: max(limit, 0)])

    async def scan_record_ids(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        await self._answer()
        return tuple(sorted(each for each in {*self.records, *self.events} if each > after)[: max(limit, 0)])

    async def load_base(self, record_id: bytes) -> EventBase | None:
        await self._answer()
        return self.bases.get(record_id)

    async def prune_events(self, base: EventBase) -> int:
        await self._answer()
        held = self.events[base.record_id]
        self.events[base.record_id] = [event for event in held if event.version > base.version]
        self.bases[base.record_id] = base
        return len(held) - len(self.events[base.record_id])

    async def scan_events(self, record_id: bytes, *, after_version: int, limit: int) -> tuple[EventRow, ...]:
        await self._answer()
        above = [event for event in self.events.get(record_id, []) if event.version > after_version]
        return tuple(above[: max(limit, 0)])

    async def load_feed(self, *, after_position: int, limit: int) -> tuple[FeedRow, ...]:
        await self._answer()
        later = [
            FeedRow(position=position, record_id=event.record_id, version=event.version, sealed=event.sealed)
            for position, event in enumerate(self.feed, start=1)
            if position > after_position
        ]
        return tuple(later[: max(limit, 0)])

    async def load_vault(self) -> VaultRow | None:
        await self._answer()
        return self.vault

    async def commit(self, change: Change) -> None:
        self._require_open()
        fault, write = self._take_failure()
        if write:
            standing = self.records.get(change.record_id)
            _require_next(change.version, standing)
            event = EventRow(
                record_id=change.record_id, version=change.version, at=change.at, sealed=change.sealed_event
            )
            self.records[change.record_id] = change.record
            self.events.setdefault(change.record_id, []).append(event)
            self.feed.append(event)
        await self._finish(fault)

    async def commit_vault(self, row: VaultRow) -> None:
        self._require_open()
        fault, write = self._take_failure()
        if write:
            _require_next(row.version, self.vault)
            self.vault = row
        await self._finish(fault)

    def _take_failure(self) -> tuple[Fault | None, bool]:
        failure, self._next_failure = self._next_failure, None
        return (None, True) if failure is None else failure

    async def _finish(self, fault: Fault | None) -> None:
        await asyncio.sleep(0)
        if fault is not None:
            raise fault

    async def _answer(self) -> None:
        self._require_open()
        await asyncio.sleep(0)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _require_next(version: int, standing: RecordRow | VaultRow | None) -> None:
    if version != (1 if standing is None else standing.version + 1):
        raise VersionConflict
