"""What the SQLite store demands of its files and of the schema in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path

import pytest

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.migrations import KNOWN_VERSION, migrate
from strongroom_service.store.sqlite import SqliteReader, SqliteStore
from strongroom_service.store.sqlite_files import connect
from tests.contract.sqlite_hand import raw
from tests.contract.store_child import change


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: mode(file) for file in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "vault.db")
    return tmp_path / "vault.db"


async def open_and_close(path: Path) -> None:
    SqliteStore.open(path).close()


# Files


async def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        migrate(tmp_path / "vault.db")
        with contextlib.closing(SqliteStore.open(tmp_path / "vault.db")) as store:
            await store.commit(change(1, 1))
            found = modes(tmp_path)
    finally:
        os.umask(before)

    assert found == dict.fromkeys(("vault.db", "vault.db-wal", "vault.db-shm", "vault.db.lock"), 0o600)


def test_readable_copy_is_made_private(path: Path) -> None:
    path.chmod(0o644)
    asyncio.run(open_and_close(path))
    assert mode(path) == 0o600

    path.chmod(0o644)
    migrate(path)
    assert mode(path) == 0o600


async def test_directory_that_all_may_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o1777)

    with pytest.raises(Misconfigured, match="not be writable by others"):
        SqliteStore.open(path)
    with pytest.raises(Misconfigured, match="not be writable by others"):
        migrate(path)


def test_connection_syncs_at_every_commit_and_overwrites_what_it_frees(path: Path) -> None:
    with contextlib.closing(connect(path, busy_seconds=1, any_thread=False)) as connection:
        read = {name: connection.execute(f"PRAGMA {name}").fetchall() for name in ("synchronous", "secure_delete")}
        assert read == {"synchronous": [(2,)], "secure_delete": [(1,)]}
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


# Schema


def test_migration_happens_once(tmp_path: Path) -> None:
    assert migrate(tmp_path / "vault.db") == 0
    assert migrate(tmp_path / "vault.db") == KNOWN_VERSION


async def test_older_schema_is_refused_with_the_way_out(path: Path) -> None:
    with raw(path) as other:
        other.execute("DELETE FROM schema_version WHERE version = ?", (KNOWN_VERSION,))

    for opening in (SqliteStore.open, SqliteReader.open_reader):
        with pytest.raises(Misconfigured, match="strongroomd init"):
            opening(path)


async def test_newer_schema_is_refused(path: Path) -> None:
    with raw(path) as other:
        other.execute("INSERT INTO schema_version VALUES (?)", (KNOWN_VERSION + 1,))

    for opening in (SqliteStore.open, SqliteReader.open_reader, migrate):
        with pytest.raises(Misconfigured, match="newer"):
            opening(path)


async def test_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    with raw(path) as other:
        other.execute("CREATE TABLE theirs (a INTEGER)")

    for opening in (SqliteStore.open, migrate):
        with pytest.raises(Misconfigured, match="another program"):
            opening(path)
    with raw(path) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


async def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.write_bytes(os.urandom(8192))

    for opening in (SqliteStore.open, migrate):
        with pytest.raises(StoreUnavailable):
            opening(path)
