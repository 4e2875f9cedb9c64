"""CPU time of exactly the processes that are asked about, from /proc/<pid>/stat (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # fields 14 and 15 of stat, counted from behind the command's closing parenthesis


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads of the process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) * _TICK_SECONDS


def find_children(parent: int) -> tuple[int, tuple[int, ...]]:
    """Return the pid of the front and those of the keepers under the parent of `strongroomd serve`."""
    commands = {child.pid: child.cmdline() for child in psutil.Process(parent).children()}
    (front,) = (pid for pid, command in commands.items() if "front" in command)
    keepers = tuple(pid for pid, command in commands.items() if "run-keeper-child" in command)
    return front, keepers
