"""Looks for bytes in another process's memory, by way of /proc (proc_pid_mem(5)); it must be dumpable, or we root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_PIECE_BYTES = 16 * 1024 * 1024


def found_in_memory(pid: int, needles: Mapping[str, bytes]) -> set[str]:
    """Return the names of the needles that are anywhere in the process's readable memory."""
    overlap = max(map(len, needles.values()))
    found: set[str] = set()
    for piece in _pieces(pid, overlap=overlap):
        found |= {name for name, needle in needles.items() if name not in found and needle in piece}
    return found


def _pieces(pid: int, *, overlap: int) -> Iterator[bytes]:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _readable(pid):
            at = start
            while at < end:
                memory.seek(at)
                try:
                    piece = memory.read(min(_PIECE_BYTES, end - at))
                except OSError:  # a mapping that only looks readable, such as [vvar], or one that is gone by now
                    break
                if not piece:
                    break
                yield piece
                at += len(piece)
                if at < end:
                    at -= min(overlap, len(piece) - 1)


def _readable(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        span, permissions = line.split()[:2]
        if permissions.startswith("r"):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
