"""A vault in an SQLite file as what a copy begins from: all of it, and the mark that it has gone."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.application.copy_store import History, PlacedEvent
from strongroom_service.application.rows import EventBase, RecordRow, VaultRow
from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.migrations import moved_to, require_known_schema
from strongroom_service.store.sqlite_files import WRITER_BUSY_SECONDS, connect, writer_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IDS: Final = (
    "SELECT record_id FROM records WHERE record_id > ?1 UNION SELECT record_id FROM events WHERE record_id > ?1"
    " UNION SELECT record_id FROM event_bases WHERE record_id > ?1 ORDER BY record_id LIMIT ?2"
)


class SqliteCopySource:
    """Holds the right to write the file, so that no service runs on it meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[SqliteCopySource]:
        """Open the database at `path`, also one that has been marked as moved.

        Raises:
            Misconfigured: a service runs on it, it is not there, or not of the schema this release knows.
            StoreUnavailable: it cannot be opened.
        """
        path = path.resolve()
        with writer_lock(path):
            connection = connect(path, busy_seconds=WRITER_BUSY_SECONDS, any_thread=False)
            with contextlib.closing(connection):
                require_known_schema(connection, moved_too=True)
                yield cls(connection)

    async def scan_histories(self, *, after: bytes, limit: int) -> tuple[History, ...]:
        """See `CopySource.scan_histories`."""
        ids = [record_id for (record_id,) in self._query(_IDS, after, limit)]
        if not ids:
            return ()
        span = (ids[0], ids[-1])
        records = {
            record_id: RecordRow(record_id=record_id, version=version, sealed=sealed)
            for record_id, version, sealed in self._between("record_id, version, sealed", "records", span)
        }
        bases = {
            record_id: EventBase(record_id=record_id, version=version, chain_head=head)
            for record_id, version, head in self._between("record_id, version, chain_head", "event_bases", span)
        }
        events: dict[bytes, list[PlacedEvent]] = defaultdict(list)
        for record_id, version, position, at, sealed in self._between(
            "record_id, version, position, at, sealed", "events", span
        ):
            events[record_id].append(PlacedEvent(version=version, position=position, at=at, sealed=sealed))
        return tuple(
            History(
                record_id=each,
                record=records.get(each),
                events=tuple(sorted(events[each], key=lambda event: event.version)),
                base=bases.get(each),
            )
            for each in ids
        )

    async def load_vault(self) -> VaultRow | None:
        """See `CopySource.load_vault`."""
        for version, sealed in self._query("SELECT version, sealed FROM vault WHERE id = 1"):
            return VaultRow(version=version, sealed=sealed)
        return None

    async def last_position(self) -> int:
        """See `CopySource.last_position`. AUTOINCREMENT keeps it, whatever was removed."""
        rows = self._query("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(rows[0][0]) if rows else 0

    async def mark_moved(self, destination: str) -> None:
        """See `CopySource.mark_moved`.

        Raises:
            Misconfigured: it has gone somewhere else.
        """
        before = moved_to(self._connection)
        if before not in {None, destination}:
            raise Misconfigured(f"this vault was moved to {before}")
        try:
            self._connection.execute(
                "INSERT INTO moved (id, destination) VALUES (1, ?) ON CONFLICT DO NOTHING", (destination,)
            )
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot mark the source as moved: {error}") from error

    def _between(self, columns: str, table: str, span: tuple[bytes, bytes]) -> list[Any]:
        return self._query(f"SELECT {columns} FROM {table} WHERE record_id BETWEEN ? AND ?", *span)  # noqa: S608  ours

    def _query(self, statement: str, *parameters: bytes | int) -> list[Any]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read: {error}") from error
