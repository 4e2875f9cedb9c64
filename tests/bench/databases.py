"""A vault's database, into which many rows go at once; and how much room they take."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import psycopg

_EVENTS: Final = ("events", "feed", "feed_waiting", "event_bases")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRow:
    """A record with its newest event."""

    record_id: bytes
    version: int
    sealed: bytes
    at: int
    sealed_event: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the tables take on disk, with all that belongs to them, and how many rows they have."""

    record_bytes: int
    records: int
    event_bytes: int
    events: int


class Database(Protocol):
    """Either kind."""

    def vault_row(self) -> tuple[int, bytes]:
        """Return the version and the sealed bytes of the vault's row."""

    def row(self, record_id: bytes) -> MadeRow:
        """Return a record with its newest event."""

    def add(self, rows: Sequence[MadeRow]) -> None:
        """Add rows, each new."""

    def settle(self) -> None:
        """Bring everything to its place, so that no work is left for whoever serves next."""

    def room(self) -> Room:
        """Return what is taken."""


@contextlib.contextmanager
def database_of(name: str) -> Iterator[Database]:
    """Open the database in the file, or at the URL of its owner."""
    if name.startswith("postgresql://"):
        with psycopg.connect(name, autocommit=True) as connection:
            yield _Postgres(connection)
    else:
        with contextlib.closing(sqlite3.connect(name, isolation_level=None)) as opened:
            yield _Sqlite(opened)


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA synchronous = OFF")  # lost with a power cut, and made again
        connection.execute("PRAGMA cache_size = -524288")

    def vault_row(self) -> tuple[int, bytes]:
        version, sealed = self._connection.execute("SELECT version, sealed FROM vault").fetchone()
        return version, sealed

    def row(self, record_id: bytes) -> MadeRow:
        found = self._connection.execute(
            "SELECT version, records.sealed, at, events.sealed FROM records JOIN events USING (record_id, version)"
            " WHERE record_id = ?",
            (record_id,),
        ).fetchone()
        return _made(record_id, found)

    def add(self, rows: Sequence[MadeRow]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO records (record_id, version, sealed) VALUES (?, ?, ?)",
            ((row.record_id, row.version, row.sealed) for row in rows),
        )
        self._connection.executemany(
            "INSERT INTO events (record_id, version, at, sealed) VALUES (?, ?, ?, ?)",
            ((row.record_id, row.version, row.at, row.sealed_event) for row in rows),
        )
        self._connection.execute("COMMIT")

    def settle(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def room(self) -> Room:
        # In pages: a sum in bytes of more than 2 GiB overflows within SQLite.
        ((page_bytes,),) = self._connection.execute("PRAGMA page_size").fetchall()
        pages = self._connection.execute(
            "SELECT tbl_name, sum(pageno) FROM dbstat('main', 1) JOIN sqlite_schema USING (name) GROUP BY tbl_name"
        )
        taken = {name: count * page_bytes for name, count in pages}
        ((records, events),) = self._connection.execute(
            "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM events)"
        ).fetchall()
        return Room(
            record_bytes=taken["records"],
            records=records,
            event_bytes=sum(taken.get(name, 0) for name in _EVENTS),
            events=events,
        )


class _Postgres:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def vault_row(self) -> tuple[int, bytes]:
        found = self._connection.execute("SELECT version, sealed FROM vault").fetchone()
        if found is None:
            raise LookupError("vault")
        version, sealed = found
        return version, sealed

    def row(self, record_id: bytes) -> MadeRow:
        found = self._connection.execute(
            "SELECT version, records.sealed, at, events.sealed FROM records JOIN events USING (record_id, version)"
            " WHERE record_id = %s",
            (record_id,),
        ).fetchone()
        return _made(record_id, found)

    def add(self, rows: Sequence[MadeRow]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            ((end,),) = cursor.execute(
                "UPDATE feed_end SET position = position + %s RETURNING position", (len(rows),)
            ).fetchall()
            with cursor.copy("COPY records (record_id, version, sealed) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(("bytea", "int8", "bytea"))
                for row in rows:
                    copy.write_row((row.record_id, row.version, row.sealed))
            with cursor.copy("COPY events (record_id, version, at, sealed) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(("bytea", "int8", "int8", "bytea"))
                for row in rows:
                    copy.write_row((row.record_id, row.version, row.at, row.sealed_event))
            with cursor.copy("COPY feed (position, record_id, version) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(("int8", "bytea", "int8"))
                for position, row in enumerate(rows, start=end - len(rows) + 1):
                    copy.write_row((position, row.record_id, row.version))

    def settle(self) -> None:
        self._connection.execute("VACUUM ANALYZE")
        self._connection.execute("CHECKPOINT")

    def room(self) -> Room:
        found = self._connection.execute(
            "SELECT pg_total_relation_size('records'), (SELECT count(*) FROM records), pg_total_relation_size('events')"
            " + pg_total_relation_size('feed') + pg_total_relation_size('event_bases'), (SELECT count(*) FROM events)"
        ).fetchone()
        if found is None:
            raise LookupError("records")
        record_bytes, records, event_bytes, events = found
        return Room(record_bytes=record_bytes, records=records, event_bytes=event_bytes, events=events)


def _made(record_id: bytes, found: tuple[int, bytes, int, bytes] | None) -> MadeRow:
    if found is None:
        raise LookupError("no such record, or its newest event is gone")
    version, sealed, at, sealed_event = found
    return MadeRow(record_id=record_id, version=version, sealed=sealed, at=at, sealed_event=sealed_event)
