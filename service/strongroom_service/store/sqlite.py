"""Records, events and the vault's row in one SQLite file: the embedded default."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from strongroom_service.application.rows import Change, EventBase, EventRow, FeedRow, RecordRow, VaultRow
from strongroom_service.domain.errors import StoreUnavailable, VersionConflict
from strongroom_service.store.migrations import require_known_schema
from strongroom_service.store.sqlite_files import (
    READER_BUSY_SECONDS,
    WRITER_BUSY_SECONDS,
    connect,
    empty_log,
    narrow,
    writer_lock,
)
from strongroom_service.store.sqlite_writer import GroupWriter, ObserveCommit

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_MAX_WAITING = 1024

_LOAD_RECORD = "SELECT version, sealed FROM records WHERE record_id = ?"
_LOAD_EVENTS = (
    "SELECT version, at, sealed FROM events WHERE record_id = ? AND version < ? ORDER BY version DESC LIMIT ?"
)
_SCAN_EVENTS = "SELECT version, at, sealed FROM events WHERE record_id = ? AND version > ? ORDER BY version LIMIT ?"
# Both halves come from an index in order, so that SQLite merges them without a table of its own.
_SCAN_RECORD_IDS = (
    "SELECT record_id FROM records WHERE record_id > ?1 UNION SELECT record_id FROM events WHERE record_id > ?1"
    " ORDER BY record_id LIMIT ?2"
)
_LOAD_FEED = "SELECT position, record_id, version, sealed FROM events WHERE position > ? ORDER BY position LIMIT ?"
_LOAD_BASE = "SELECT version, chain_head FROM event_bases WHERE record_id = ?"
_LOAD_VAULT = "SELECT version, sealed FROM vault WHERE id = 1"
_CHECK = "SELECT max(version) FROM schema_version"
_MAX_INTEGER = 2**63 - 1


class SqliteReader:
    """The reading half, on a connection of its own; also for commands beside a running service, as it takes no lock.

    Reads run on the event loop's thread, without a thread pool: each is one search by primary key for a few kilobytes
    that the page cache nearly always holds, some ten microseconds, where a hop to a thread and back costs several times
    that. In WAL mode a reader never waits for the writer. And a row is visible only after the sync of its commit, so
    that nothing read here can be taken back by a crash. The port has coroutines for databases that are further away.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open_reader(cls, path: Path) -> SqliteReader:
        """Open the database at `path` to read.

        Raises:
            Misconfigured: no database there, its schema is not the one this release knows, or the file system is unfit.
            StoreUnavailable: it cannot be opened.
        """
        return SqliteReader(_reading_connection(path.resolve()))

    def close(self) -> None:
        """Close the connection; every later call raises StoreUnavailable. Idempotent."""
        self._connection.close()

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        """See `RecordStore.load_record`."""
        for version, sealed in self._query(_LOAD_RECORD, record_id):
            return RecordRow(record_id=record_id, version=version, sealed=sealed)
        return None

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        """See `RecordStore.load_events`."""
        # To SQLite a negative LIMIT means "all"; and what is above its integers is above every version.
        rows = self._query(_LOAD_EVENTS, record_id, min(before_version, _MAX_INTEGER), max(limit, 0))
        return tuple(
            EventRow(record_id=record_id, version=version, at=at, sealed=sealed) for version, at, sealed in rows
        )

    async def scan_record_ids(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        """See `HistoryScan.scan_record_ids`."""
        return tuple(record_id for (record_id,) in self._query(_SCAN_RECORD_IDS, after, max(limit, 0)))

    async def load_base(self, record_id: bytes) -> EventBase | None:
        """See `HistoryScan.load_base`."""
        for version, chain_head in self._query(_LOAD_BASE, record_id):
            return EventBase(record_id=record_id, version=version, chain_head=chain_head)
        return None

    async def scan_events(self, record_id: bytes, *, after_version: int, limit: int) -> tuple[EventRow, ...]:
        """See `HistoryScan.scan_events`."""
        rows = self._query(_SCAN_EVENTS, record_id, min(after_version, _MAX_INTEGER), max(limit, 0))
        return tuple(
            EventRow(record_id=record_id, version=version, at=at, sealed=sealed) for version, at, sealed in rows
        )

    async def load_feed(self, *, after_position: int, limit: int) -> tuple[FeedRow, ...]:
        """See `FeedStore.load_feed`. There is one writer, and AUTOINCREMENT never gives a position twice."""
        rows = self._query(_LOAD_FEED, min(after_position, _MAX_INTEGER), max(limit, 0))
        return tuple(
            FeedRow(position=position, record_id=record_id, version=version, sealed=sealed)
            for position, record_id, version, sealed in rows
        )

    async def load_vault(self) -> VaultRow | None:
        """See `VaultStore.load_vault`."""
        for version, sealed in self._query(_LOAD_VAULT):
            return VaultRow(version=version, sealed=sealed)
        return None

    async def check(self) -> None:
        """Return if the database answers.

        Raises:
            StoreUnavailable: it does not.
        """
        self._query(_CHECK)

    def _query(self, statement: str, *parameters: bytes | int) -> list[Any]:
        try:
            # To the last row: a statement left half-way would hold its snapshot and let the log grow.
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read: {error}") from error


class SqliteStore(SqliteReader):
    """`RecordStore` and `VaultStore` on the one process's file; belongs to the event loop that opened it."""

    def __init__(self, connection: sqlite3.Connection, *, writer: GroupWriter, resources: contextlib.ExitStack) -> None:
        super().__init__(connection)
        self._writer = writer
        self._resources = resources

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        max_waiting: int = DEFAULT_MAX_WAITING,
        observe_commit: ObserveCommit | None = None,
    ) -> SqliteStore:
        """Open the migrated database at `path` as its only writer; call it on the running event loop.

        Args:
            path: the database file; beside it live `-wal`, `-shm` and `.lock`.
            max_waiting: how many changes may wait for the disk before further ones are refused.
            observe_commit: called on the loop after each transaction with its duration (seconds) and number of rows.

        Raises:
            Misconfigured: another writer, an unknown schema, a file or directory that others may write, or no database.
            StoreUnavailable: it cannot be opened.
        """
        path = path.resolve()
        with contextlib.ExitStack() as resources:
            resources.enter_context(writer_lock(path))
            narrow(path)
            # Handed to the writer's thread, which alone uses it from then on.
            writing = connect(path, busy_seconds=WRITER_BUSY_SECONDS, any_thread=True)
            resources.callback(writing.close)
            require_known_schema(writing)
            empty_log(writing, path)
            writer = GroupWriter(
                writing,
                path=path,
                loop=asyncio.get_running_loop(),
                max_waiting=max_waiting,
                observe_commit=observe_commit,
            )
            resources.callback(writer.close)
            reading = _reading_connection(path)
            resources.callback(reading.close)
            return cls(reading, writer=writer, resources=resources.pop_all())

    def close(self) -> None:
        """Commit what waits (this blocks), then close; every later call raises StoreUnavailable. Idempotent."""
        self._resources.close()

    async def commit(self, change: Change) -> None:
        """See `RecordStore.commit`. A caller that is cancelled gives up the answer, not the commit."""
        await self._writer.submit(change)

    async def confirm(self, row: RecordRow) -> None:
        """See `RecordStore.confirm`. Here a row is visible only after the sync of its commit."""
        current = await self.load_record(row.record_id)
        if current is None or current.version < row.version:
            raise VersionConflict("the row is older than what was read")

    async def commit_vault(self, row: VaultRow) -> None:
        """See `VaultStore.commit_vault`."""
        await self._writer.submit(row)


def _reading_connection(path: Path) -> sqlite3.Connection:
    connection = connect(path, busy_seconds=READER_BUSY_SECONDS, any_thread=False)
    with contextlib.ExitStack() as unless_fit:
        unless_fit.callback(connection.close)
        require_known_schema(connection)
        connection.execute("PRAGMA query_only = ON")
        unless_fit.pop_all()
    return connection
