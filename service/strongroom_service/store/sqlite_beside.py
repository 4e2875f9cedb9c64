"""A second hand on the database beside the running service's: reads everything, and rarely replaces a row."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Final, Self

from strongroom_service.domain.errors import OutcomeUnknown, StoreUnavailable, VersionConflict
from strongroom_service.store.migrations import require_known_schema
from strongroom_service.store.sqlite import SqliteReader
from strongroom_service.store.sqlite_files import connect
from strongroom_service.store.sqlite_statements import write_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom_service.application.rows import Change, EventBase, VaultRow

# The service's writer waits for two seconds at most; one transaction of ours is one row.
_BUSY_SECONDS: Final = 5.0

_KEEP_BASE: Final = (
    "INSERT INTO event_bases (record_id, version, chain_head) VALUES (?, ?, ?) ON CONFLICT (record_id)"
    " DO UPDATE SET version = excluded.version, chain_head = excluded.chain_head"
)
_REMOVE_EVENTS: Final = "DELETE FROM events WHERE record_id = ? AND version <= ?"


class SqliteBeside(SqliteReader):
    """Takes no lock file: its writes are rare, guarded by the version, and short enough for the service's to wait."""

    @classmethod
    def open_beside(cls, path: Path, *, busy_seconds: float = _BUSY_SECONDS) -> Self:
        """Open the database at `path`; a write waits for `busy_seconds` at most until others have written.

        Raises:
            Misconfigured: no database there, its schema is not the one this release knows, or the file system is unfit.
            StoreUnavailable: it cannot be opened.
        """
        with contextlib.ExitStack() as unless_fit:
            connection = connect(path.resolve(), busy_seconds=busy_seconds, any_thread=False)
            unless_fit.callback(connection.close)
            require_known_schema(connection)
            unless_fit.pop_all()
        return cls(connection)

    async def commit(self, change: Change) -> None:
        """See `RecordStore.commit`."""
        self._write(change)

    async def commit_vault(self, row: VaultRow) -> None:
        """See `VaultStore.commit_vault`."""
        self._write(row)

    async def prune_events(self, base: EventBase) -> int:
        """See `prune_histories.PrunedStore.prune_events`."""
        with self._transaction() as cursor:
            cursor.execute(_KEEP_BASE, (base.record_id, base.version, base.chain_head))
            cursor.execute(_REMOVE_EVENTS, (base.record_id, base.version))
            return cursor.rowcount

    def _write(self, row: Change | VaultRow) -> None:
        with self._transaction() as cursor:
            if not write_row(cursor, row):
                raise VersionConflict("the row is at another version")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """Commit what is done inside, durably; nothing of it if it raises.

        Raises:
            StoreUnavailable: the database refused; nothing was changed.
            OutcomeUnknown: the commit failed.
        """
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
        except sqlite3.Error as error:
            self._connection.rollback()
            raise StoreUnavailable(f"not committed: {error}") from error
        except VersionConflict:
            self._connection.rollback()
            raise
        try:
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._connection.rollback()
            raise OutcomeUnknown(f"COMMIT failed: {error}") from error
