"""Numbered SQL migrations, applied in order, each in one transaction. The schema's version is the last one's number."""

from __future__ import annotations

import contextlib
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.sqlite_files import WRITER_BUSY_SECONDS, connect, create_private, writer_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCRIPTS = ("0001_first.sql", "0002_feed.sql", "0003_bases.sql", "0004_moved.sql")
KNOWN_VERSION = len(_SCRIPTS)


def migrate(path: Path) -> int:
    """Bring the database at `path` to the schema this release knows; make it if there is none. Stop the service first.

    Returns:
        The schema version before: 0 for a new database, `KNOWN_VERSION` when there was nothing to do.

    Raises:
        Misconfigured: another process writes the database, its schema is newer than this release, or it is not ours.
        StoreUnavailable: the database refused; the migrations before the failing one stay applied.
    """
    path = path.resolve()
    with writer_lock(path):
        create_private(path)
        with contextlib.closing(connect(path, busy_seconds=WRITER_BUSY_SECONDS, any_thread=False)) as connection:
            try:
                return _apply_missing(connection)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"migration of {path} failed: {error}") from error


def require_known_schema(connection: sqlite3.Connection, *, moved_too: bool = False) -> None:
    """Check that the database has exactly the schema this release was written for, and has not moved elsewhere.

    Raises:
        Misconfigured: moved (unless `moved_too`), older (says how to migrate), newer, or not a Strongroom database.
        StoreUnavailable: it could not be read.
    """
    try:
        version = _version(connection)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read the schema version: {error}") from error
    _refuse_newer(version)
    if version < KNOWN_VERSION:
        raise Misconfigured(
            f"schema version {version}, this release needs {KNOWN_VERSION}: stop the service and run `strongroomd init`"
        )
    if not moved_too and (destination := moved_to(connection)) is not None:
        raise Misconfigured(f"this vault has moved to {destination}: serve it from there, and keep this file as a copy")


def moved_to(connection: sqlite3.Connection) -> str | None:
    """Return where the vault in this database has gone, None while it is here.

    Raises:
        StoreUnavailable: it could not be read.
    """
    try:
        rows = connection.execute("SELECT destination FROM moved WHERE id = 1").fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read whether the vault has moved: {error}") from error
    return str(rows[0][0]) if rows else None


def _apply_missing(connection: sqlite3.Connection) -> int:
    before = _version(connection)
    _refuse_newer(before)
    for version, name in enumerate(_SCRIPTS[before:], start=before + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(name):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.rollback()
            raise
    return before


def _version(connection: sqlite3.Connection) -> int:
    """Return the schema's version, 0 for an empty database."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}
    if not tables:
        return 0
    if "schema_version" not in tables:
        raise Misconfigured("the file is a database of another program")
    [(version,)] = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()
    return int(version)


def _refuse_newer(version: int) -> None:
    if version > KNOWN_VERSION:
        raise Misconfigured(
            f"schema version {version} is newer than this release, which knows {KNOWN_VERSION}: run the newer release"
        )


def _statements(name: str) -> Iterator[str]:
    """Split a script: `executescript` would commit before it begins, outside the transaction."""
    pending = ""
    for line in (resources.files(__package__) / name).read_text(encoding="utf-8").splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
