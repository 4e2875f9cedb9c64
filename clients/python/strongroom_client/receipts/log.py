"""The receipt log on disk: segments receipts-000001.jsonl, receipts-000002.jsonl, ..., only ever appended to.

Bounded: when there are more than 32 segments of 1 MiB the oldest is dropped, and a line says so before it goes. The
hash in each line shows a line that was changed, removed or put elsewhere by whoever does not write the rest anew. For
one process at a time: the folder's lock is its owner's affair.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom_client.receipts.format import (
    FIRST,
    CutShort,
    Dropped,
    Entry,
    KeptLine,
    NotALine,
    decode_line,
    encode_line,
    line_hash,
    segment_name,
)

SEGMENT_BYTES: Final = 1024 * 1024
SEGMENTS: Final = 32
_PRIVATE_FILE = 0o600
_NAME = re.compile(r"receipts-(\d{6})\.jsonl")


class ReceiptLog:
    """The log in `folder`. Errors of the disk are OSError."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments = segments
        self._last: bytes | None = None

    def append(self, entry: Entry) -> None:
        """Add `entry` durably."""
        segment = max(self._numbers(), default=1)
        if self._last is None:
            self._last = self._mend(segment)
        line, size = encode_line(entry, previous=self._last), self._size(segment)
        if size == 0 or size + len(line) < self._segment_bytes:
            self._write(segment, line)
            return
        self._write(segment + 1, line)
        for oldest in sorted(self._numbers()):
            if segment + 1 - oldest >= self._segments:
                self._drop(oldest, noted_in=segment + 1)

    def read(self) -> Iterator[KeptLine]:
        """Return every line, oldest first."""
        for segment in sorted(self._numbers()):
            yield from self._read(segment)

    def _read(self, segment: int) -> Iterator[KeptLine]:
        for number, line in enumerate(self._path(segment).read_bytes().split(b"\n")[:-1], start=1):
            yield _kept_line(segment, number, line)

    def _mend(self, segment: int) -> bytes:
        """Return the hash of the last line; replace one that a crash cut short by a note of it."""
        try:
            content = self._path(segment).read_bytes()
        except FileNotFoundError:
            return FIRST
        whole = content.rfind(b"\n") + 1
        last = line_hash(content[:whole].split(b"\n")[-2]) if whole else self._last_before(segment)
        if whole == len(content):
            return last
        os.truncate(self._path(segment), whole)
        return self._write(segment, encode_line(CutShort(len(content) - whole), previous=last))

    def _last_before(self, segment: int) -> bytes:
        """Return the hash of the last line of the segment before; of a log's first line there is none before."""
        before = [line for line in self.read() if line.segment < segment]
        return before[-1].sha256 if before else FIRST

    def _write(self, segment: int, line: bytes) -> bytes:
        self._last = None  # a line that the disk took half of is mended before the next
        path = self._path(segment)
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            self._sync_folder()
        self._last = line_hash(line)
        return self._last

    def _drop(self, segment: int, *, noted_in: int) -> None:
        """Say first what is dropped: after a crash in between it is said, and still there."""
        lines = list(self._read(segment))
        before = sum(line.entry.lines for line in lines if isinstance(line.entry, Dropped))
        note = Dropped(segment=segment, lines=before + len(lines), last=lines[-1].sha256 if lines else FIRST)
        self._write(noted_in, encode_line(note, previous=self._mend(noted_in)))
        self._path(segment).unlink(missing_ok=True)
        self._sync_folder()

    def _numbers(self) -> list[int]:
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return [int(match[1]) for match in found if match is not None]

    def _size(self, segment: int) -> int:
        try:
            return self._path(segment).stat().st_size
        except FileNotFoundError:
            return 0

    def _path(self, segment: int) -> Path:
        return self._folder / segment_name(segment)

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _kept_line(segment: int, number: int, line: bytes) -> KeptLine:
    try:
        previous, entry = decode_line(line)
    except NotALine:
        return KeptLine(segment=segment, number=number, previous=b"", sha256=line_hash(line), entry=None)
    return KeptLine(segment=segment, number=number, previous=previous, sha256=line_hash(line), entry=entry)
