"""Records, events and the vault's row in PostgreSQL: what many replicas share."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.application.rows import Change, EventBase, EventRow, FeedRow, RecordRow, VaultRow
from strongroom_service.domain.errors import OutcomeUnknown, StoreUnavailable, VersionConflict
from strongroom_service.store.postgres_connection import PostgresConnection
from strongroom_service.store.postgres_feed import MOST_AT_ONCE, place_events, prune_events
from strongroom_service.store.postgres_records import RecordReader
from strongroom_service.store.postgres_rules import PostgresRules
from strongroom_service.store.postgres_writer import PostgresWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from strongroom_service.store.postgres_writer import ObserveCommit

DEFAULT_MAX_WAITING: Final = 1024
# Two, so that one gathers and sends while the other waits for the disks; more only make batches smaller.
_WRITERS: Final = 2

_LOAD_EVENTS: Final = (
    "SELECT version, at, sealed FROM events WHERE record_id = %b AND version < %b ORDER BY version DESC LIMIT %b"
)
_SCAN_EVENTS: Final = (
    "SELECT version, at, sealed FROM events WHERE record_id = %b AND version > %b ORDER BY version LIMIT %b"
)
_SCAN_RECORD_IDS: Final = (
    "(SELECT record_id FROM records WHERE record_id > %b ORDER BY record_id LIMIT %b) UNION"
    " (SELECT DISTINCT record_id FROM events WHERE record_id > %b ORDER BY record_id LIMIT %b)"
    " ORDER BY record_id LIMIT %b"
)
_LOAD_BASE: Final = "SELECT version, chain_head FROM event_bases WHERE record_id = %b"
_LOAD_VAULT: Final = "SELECT version, sealed FROM vault WHERE id = 1"
_LOAD_FEED: Final = (
    "SELECT feed.position, feed.record_id, feed.version, events.sealed FROM feed JOIN events"
    " ON events.record_id = feed.record_id AND events.version = feed.version"
    " WHERE feed.position > %b ORDER BY feed.position LIMIT %b"
)
# Locks the row, and so its commit waits until this and everything before it is on the standbys.
_CONFIRM: Final = """
SELECT version, current_setting('synchronous_standby_names'), current_setting('synchronous_commit')
FROM records WHERE record_id = %b FOR UPDATE
"""
_MAX_INTEGER: Final = 2**63 - 1


class PostgresStore:
    """Every port to the database. Also for commands beside the service: each change is guarded by the version.

    Records, which every attempt reads, have a connection of their own; so do the commits; everything else shares one.
    """

    def __init__(self, rules: PostgresRules, *, max_waiting: int, observe_commit: ObserveCommit | None) -> None:
        """Nothing is connected yet: see `open`."""
        self._reading, self._other = PostgresConnection(rules), PostgresConnection(rules)
        self._writing = tuple(PostgresConnection(rules) for _ in range(_WRITERS))
        self._records = RecordReader(self._reading)
        self._writer = PostgresWriter(self._writing, max_waiting=max_waiting, observe_commit=observe_commit)
        self._turn = asyncio.Lock()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        rules: PostgresRules,
        *,
        max_waiting: int = DEFAULT_MAX_WAITING,
        observe_commit: ObserveCommit | None = None,
    ) -> AsyncIterator[PostgresStore]:
        """Connect to a database that is fit to decide on; at the end commit what waits and close.

        Args:
            rules: what is asked of the database.
            max_waiting: how many changes may wait before further ones are refused.
            observe_commit: called on the loop after each transaction with its duration (seconds) and number of rows.

        Raises:
            Misconfigured: the database is not what the rules ask for, or not of a known schema.
            StoreUnavailable: it cannot be reached.
        """
        store = cls(rules, max_waiting=max_waiting, observe_commit=observe_commit)
        try:
            opening = (connection.open() for connection in (store._reading, *store._writing))
            for failure in await asyncio.gather(*opening, return_exceptions=True):  # each to its end
                if failure is not None:
                    raise failure
            yield store
        finally:
            store.close()
            await store._writer.drain()

    def close(self) -> None:
        """Close; every later call raises StoreUnavailable. What waits is still committed and answered. Idempotent."""
        self._writer.close()
        self._records.close()
        self._reading.close()
        self._other.close()

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        """See `RecordStore.load_record`."""
        return await self._records.load(record_id)

    async def confirm(self, row: RecordRow) -> None:
        """See `RecordStore.confirm`."""
        async with self._turn:
            found = await self._other.write(_CONFIRM, row.record_id)
            for _, names, synchronous in found:
                self._other.demand_standbys(names=names, synchronous=synchronous)
        if not found or found[0][0] < row.version:
            raise VersionConflict("the row is older than what was read")

    async def commit(self, change: Change) -> None:
        """See `RecordStore.commit`. A caller that is cancelled gives up the answer, not the commit."""
        await self._writer.submit(change)

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        """See `RecordStore.load_events`."""
        rows = await self._read(_LOAD_EVENTS, record_id, min(before_version, _MAX_INTEGER), max(limit, 0))
        return tuple(
            EventRow(record_id=record_id, version=version, at=at, sealed=sealed) for version, at, sealed in rows
        )

    async def scan_record_ids(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        """See `HistoryScan.scan_record_ids`."""
        most = max(limit, 0)
        rows = await self._read(_SCAN_RECORD_IDS, after, most, after, most, most)
        return tuple(record_id for (record_id,) in rows)

    async def load_base(self, record_id: bytes) -> EventBase | None:
        """See `HistoryScan.load_base`."""
        for version, chain_head in await self._read(_LOAD_BASE, record_id):
            return EventBase(record_id=record_id, version=version, chain_head=chain_head)
        return None

    async def scan_events(self, record_id: bytes, *, after_version: int, limit: int) -> tuple[EventRow, ...]:
        """See `HistoryScan.scan_events`."""
        rows = await self._read(_SCAN_EVENTS, record_id, min(after_version, _MAX_INTEGER), max(limit, 0))
        return tuple(
            EventRow(record_id=record_id, version=version, at=at, sealed=sealed) for version, at, sealed in rows
        )

    async def load_feed(self, *, after_position: int, limit: int) -> tuple[FeedRow, ...]:
        """See `FeedStore.load_feed`."""
        async with self._turn:
            try:
                await place_events(self._other)
            except OutcomeUnknown as unknown:  # to the reader all the same: the next one goes on from what was done
                raise StoreUnavailable(*unknown.args) from unknown
            rows = await self._other.read(_LOAD_FEED, min(after_position, _MAX_INTEGER), max(limit, 0))
        return tuple(
            FeedRow(position=position, record_id=record_id, version=version, sealed=sealed)
            for position, record_id, version, sealed in rows
        )

    async def prune_events(self, base: EventBase) -> int:
        """See `prune_histories.PrunedStore.prune_events`."""
        async with self._turn:
            while await place_events(self._other) == MOST_AT_ONCE:
                pass  # those of this record may be among the next
            return await prune_events(self._other, base)

    async def load_vault(self) -> VaultRow | None:
        """See `VaultStore.load_vault`."""
        for version, sealed in await self._read(_LOAD_VAULT):
            return VaultRow(version=version, sealed=sealed)
        return None

    async def commit_vault(self, row: VaultRow) -> None:
        """See `VaultStore.commit_vault`."""
        await self._writer.submit(row)

    async def check(self) -> None:
        """Return if the database answers and is fit to decide on.

        Raises:
            StoreUnavailable: it does not, or is not.
        """
        async with self._turn:
            await self._other.check()

    async def _read(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._other.read(query, *parameters)
