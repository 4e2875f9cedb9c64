"""Processes that can open nothing more."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import psutil


@contextlib.contextmanager
def no_descriptors_left(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Let these have no descriptor more than they have, as long as the block lasts; what has ended is passed over."""
    before = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            soft, hard = process.rlimit(resource.RLIMIT_NOFILE)
            # The limit is one of numbers: below it there must be no gap.
            process.rlimit(resource.RLIMIT_NOFILE, (_first_free(process.pid), hard))
            before[process] = soft, hard
    try:
        yield
    finally:
        for process, limits in before.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(resource.RLIMIT_NOFILE, limits)


def _first_free(pid: int) -> int:
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in count() if number not in taken)
