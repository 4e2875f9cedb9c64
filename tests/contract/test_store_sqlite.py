"""What only the SQLite store has: a lock, batches, a disk that fills, a process that dies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable, VersionConflict
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteReader, SqliteStore
from tests.contract import store_child
from tests.contract.sqlite_hand import raw
from tests.contract.store_child import change


def run_child(task: str, path: Path, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, store_child.__file__, task, str(path), *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "vault.db")
    return tmp_path / "vault.db"


# Processes that die


def die_after(path: Path, task: str, *, acknowledgements: int) -> dict[int, int]:
    """Run a child until it is killed after so many acknowledgements; return the newest version told for each number."""
    child = run_child(task, path, str(acknowledgements))
    assert child.returncode == -signal.SIGKILL, child.stderr
    told = [tuple(map(int, line.split())) for line in child.stdout.splitlines()]
    assert len(told) == acknowledgements
    return {number: max(version for of, version in told if of == number) for number, _ in told}


async def lost(path: Path, told: dict[int, int]) -> int:
    """Open the file and count the acknowledged changes of which record or event is missing."""
    missing = 0
    with contextlib.closing(SqliteStore.open(path)) as store:
        for number, version in told.items():
            record_id = change(number, 1).record_id
            row = await store.load_record(record_id)
            standing = 0 if row is None else row.version
            assert row is None or row == change(number, standing).record
            events = await store.load_events(record_id, before_version=standing + 1, limit=standing + 1)
            assert [event.version for event in events] == list(range(standing, 0, -1)), "history has a gap"
            missing += max(version - standing, 0)
    return missing


@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=[pytest.mark.verify, pytest.mark.timeout(900)])])
async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(path: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    for _ in range(rounds):
        told = die_after(path, "kill", acknowledgements=chance.randint(1, 400))
        assert await lost(path, told) == 0


async def test_count_of_the_lost_finds_acknowledgements_before_the_commit(path: Path) -> None:
    told = die_after(path, "too-early", acknowledgements=1)

    assert await lost(path, told) == 1


# Disks that fill


def tiny_disk(folder: Path) -> list[str]:
    """A command that runs another on a 5 MiB file system of its own at `folder`."""
    script = f'mount -t tmpfs -o size=5m,mode=700 none "{folder}" && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]


@functools.cache
def can_mount(folder: Path) -> bool:
    return (
        shutil.which("unshare") is not None and not subprocess.run([*tiny_disk(folder), "true"], check=False).returncode
    )


@pytest.mark.parametrize("batch", [1, 16, 100])
@pytest.mark.parametrize("limit", ["file-size", "tiny-disk"])
def test_full_disk_loses_nothing_acknowledged_and_keeps_nothing_refused(tmp_path: Path, batch: int, limit: str) -> None:
    prefix: list[str] = []
    if limit == "tiny-disk" and can_mount(tmp_path):
        prefix = tiny_disk(tmp_path)
    else:  # any write beyond the limit fails: COMMIT with "disk I/O error" where a full disk says "full"
        limit = "file-size"
    child = run_child("full", tmp_path / "vault.db", str(batch), limit, prefix=prefix)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)

    assert found["acknowledged"] > 10
    assert found["refused"] > 0
    assert found.get("unknown", 0) <= batch  # one transaction at most: then nothing is written until it is resolved
    assert (found["lost"], found["phantom"]) == (0, 0)
    assert found["after"] == {"acknowledged": 10}  # the store went on by itself once there was room


# One writer


async def test_second_writer_is_refused_until_the_first_closes(path: Path) -> None:
    with contextlib.closing(SqliteStore.open(path)):
        with pytest.raises(Misconfigured, match="another process"):
            SqliteStore.open(path)
        with pytest.raises(Misconfigured, match="another process"):
            migrate(path)
        assert "Misconfigured: another process" in run_child("kill", path, "1").stderr

    SqliteStore.open(path).close()


async def test_lock_is_the_same_by_another_name(path: Path) -> None:
    alias = path.with_name("alias.db")
    alias.symlink_to(path)

    with contextlib.closing(SqliteStore.open(path)), pytest.raises(Misconfigured, match="another process"):
        SqliteStore.open(alias)


async def test_failed_opening_leaves_no_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(Misconfigured, match="strongroomd init"):
            SqliteStore.open(tmp_path / "vault.db")


async def test_reader_beside_the_writer_sees_what_was_committed(path: Path) -> None:
    with (
        contextlib.closing(SqliteStore.open(path)) as store,
        contextlib.closing(SqliteReader.open_reader(path)) as reader,
    ):
        await store.commit(change(1, 1))
        assert await reader.load_record(change(1, 1).record_id) == change(1, 1).record
        await store.commit(change(1, 2))
        assert await reader.load_record(change(1, 1).record_id) == change(1, 2).record


# Batches


async def test_what_waits_shares_a_transaction(path: Path) -> None:
    observed: list[tuple[float, int]] = []
    store = SqliteStore.open(path, observe_commit=lambda seconds, rows: observed.append((seconds, rows)))
    with contextlib.closing(store):
        await asyncio.gather(*(store.commit(change(number, 1)) for number in range(200)))

    assert sum(rows for _, rows in observed) == 200
    assert len(observed) < 20
    assert all(seconds > 0 for seconds, _ in observed)


async def test_change_that_the_database_refuses_fails_alone(path: Path) -> None:
    with contextlib.closing(SqliteStore.open(path)) as store:
        for version in (1, 2, 3):
            await asyncio.gather(*(store.commit(change(number, version)) for number in range(20)))
        with raw(path) as other:  # puts an old row of one account back
            old = change(7, 1)
            other.execute(
                "UPDATE records SET version = 1, sealed = ? WHERE record_id = ?", (old.sealed_record, old.record_id)
            )

        rows = [change(number, 2 if number == 7 else 4) for number in range(20)]
        too_large = [change(30, 1), change(31, 2**70), change(32, 1)]
        done = await asyncio.gather(*(store.commit(row) for row in [*rows, *too_large]), return_exceptions=True)

        refused = [index for index, one in enumerate(done) if isinstance(one, StoreUnavailable)]
        assert refused == [7, 21]
        assert [one for index, one in enumerate(done) if index not in refused] == [None] * 21
        assert await store.load_record(old.record_id) == old.record
        assert await store.load_record(change(8, 4).record_id) == change(8, 4).record
        assert len(await store.load_events(old.record_id, before_version=9, limit=9)) == 3


async def test_database_locked_by_another_hand_is_unavailable_until_it_is_free(path: Path) -> None:
    with contextlib.closing(SqliteStore.open(path)) as store, raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        done = await asyncio.gather(*(store.commit(change(1, 1)) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in done] == [StoreUnavailable] * 3
        other.execute("ROLLBACK")

        done = await asyncio.gather(*(store.commit(change(1, 1)) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in done] == [type(None), VersionConflict, VersionConflict]


async def test_queue_is_bounded(path: Path) -> None:
    with contextlib.closing(SqliteStore.open(path, max_waiting=2)) as store:
        done = await asyncio.gather(*(store.commit(change(number, 1)) for number in range(3)), return_exceptions=True)

        assert [type(one) for one in done] == [type(None), type(None), StoreUnavailable]
        await store.commit(change(3, 1))
        assert await store.load_record(change(2, 1).record_id) is None


def test_failed_commit_that_cannot_be_undone_is_told_as_unknown(path: Path) -> None:
    """A reader that stays keeps the log from being emptied, so that the frames of the failed COMMIT stay too."""
    child = run_child("stay", path)
    assert child.returncode == 0, child.stderr

    found = json.loads(child.stdout)
    assert found["told"] == ["acknowledged", "unknown", "refused", "acknowledged"]
    assert (found["lost"], found["phantom"]) == (0, 0)
