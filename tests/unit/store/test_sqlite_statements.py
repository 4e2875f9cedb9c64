"""Many rows in few statements: the fast way is taken when it can be, and says when it cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from strongroom_service.application.rows import Change, VaultRow
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite_files import connect
from strongroom_service.store.sqlite_statements import write_all


def change(number: int, version: int) -> Change:
    record_id = number.to_bytes(32, "big")
    return Change(record_id=record_id, version=version, at=0, sealed_record=b"record", sealed_event=b"event")


def changes(version: int, *, count: int = 130) -> list[Change]:
    return [change(number, version) for number in range(count)]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    migrate(tmp_path / "vault.db")
    with contextlib.closing(connect(tmp_path / "vault.db", busy_seconds=1, any_thread=False)) as opened:
        assert write_all(opened.cursor(), changes(1))
        assert write_all(opened.cursor(), changes(2))
        yield opened


@pytest.mark.parametrize("count", [1, 2, 47, 48, 49, 96, 130])
def test_rows_at_the_next_version_are_all_written(connection: sqlite3.Connection, count: int) -> None:
    assert write_all(connection.cursor(), [*changes(3, count=count), VaultRow(version=1, sealed=b"")])

    assert connection.execute("SELECT count(*) FROM records WHERE version = 3").fetchall() == [(count,)]
    assert connection.execute("SELECT count(*) FROM events WHERE version = 3").fetchall() == [(count,)]


def test_statements_do_not_grow_with_the_rows(connection: sqlite3.Connection) -> None:
    executed: list[str] = []
    connection.set_trace_callback(executed.append)

    assert write_all(connection.cursor(), changes(3, count=96))

    assert len(executed) == 4


@pytest.mark.parametrize(
    "rows",
    [
        [change(0, 2), *changes(3)[1:]],
        [change(0, 4), *changes(3)[1:]],
        [change(500, 2), *changes(3)],
        [change(0, 3), change(0, 3), *changes(3)[1:]],
        [*changes(3), change(0, 3)],
        [change(0, 3), change(0, 4)],
        [*changes(3), change(0, 1)],
        [*changes(3), VaultRow(version=2, sealed=b"")],
    ],
    ids=["stale", "ahead", "no row", "twice", "twice, far apart", "two steps", "new, but there", "vault ahead"],
)
def test_one_row_that_does_not_fit_is_told(connection: sqlite3.Connection, rows: Sequence[Change | VaultRow]) -> None:
    assert not write_all(connection.cursor(), rows)
