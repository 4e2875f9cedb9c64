from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.slow_flush.slow_flush import SlowFlush

SECONDS = 0.2
FLUSHING = "import os, sys, time; began = time.monotonic(); {}; print(os.getpid(), time.monotonic() - began)"
FLUSHES = (
    "os.fsync(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT))",
    "os.fdatasync(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT))",
)


@pytest.fixture(scope="module")
def slow_flush(tmp_path_factory: pytest.TempPathFactory) -> SlowFlush:
    return SlowFlush(tmp_path_factory.mktemp("slow") / "built", microseconds=int(SECONDS * 1e6))


def run(slow_flush: SlowFlush, program: str, path: Path) -> tuple[int, float]:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, **slow_flush.environment},
        check=True,
        capture_output=True,
        text=True,
    )
    pid, seconds = done.stdout.split()
    return int(pid), float(seconds)


@pytest.mark.parametrize("flush", FLUSHES)
def test_each_flush_takes_the_stated_time_longer(slow_flush: SlowFlush, tmp_path: Path, flush: str) -> None:
    pid, seconds = run(slow_flush, FLUSHING.format(flush), tmp_path / "file")
    assert seconds >= SECONDS
    assert pid in slow_flush.users()


def test_a_process_that_flushes_nothing_is_no_user(slow_flush: SlowFlush, tmp_path: Path) -> None:
    pid, _ = run(slow_flush, FLUSHING.format("pass"), tmp_path / "file")
    assert pid not in slow_flush.users()


def test_commits_of_sqlite_are_flushes(slow_flush: SlowFlush, tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    program = (
        "import os, sqlite3, sys, time; connection = sqlite3.connect(sys.argv[1]); began = time.monotonic();"
        " connection.execute('CREATE TABLE made (number INTEGER)'); connection.commit();"
        " print(os.getpid(), time.monotonic() - began)"
    )
    pid, seconds = run(slow_flush, program, path)
    assert seconds >= SECONDS
    assert pid in slow_flush.users()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM made").fetchone() == (0,)
