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
    from pathlib import Path

    from strongroom_service.application.rows import Change, VaultRow

# The service's writer waits for two seconds at most; one transaction of ours is one row.
_BUSY_SECONDS: Final = 5.0


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

    def _write(self, row: Change | VaultRow) -> None:
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            written = write_row(cursor, row)
        except sqlite3.Error as error:
            self._connection.rollback()
            raise StoreUnavailable(f"not committed: {error}") from error
        if not written:
            self._connection.rollback()
            raise VersionConflict("the row is at another version")
        try:
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._connection.rollback()
            raise OutcomeUnknown(f"COMMIT failed: {error}") from error
