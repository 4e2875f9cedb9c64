"""Where an archive is, or will be: a file here, or an object elsewhere (remote.py). Complete, or not there at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from strongroom_client.age_file import ByteSink, ByteSource
from strongroom_client.archive.errors import ArchiveError, TargetUnfit, shown
from strongroom_client.archive.staging import remove_leftovers, staged_file


@dataclass(slots=True)
class Staged:
    """What an archive is written to; counts. `status` names the file, where it is one here."""

    sink: ByteSink
    status: os.stat_result | None
    bytes_written: int = 0

    def write(self, chunk: bytes) -> int:
        """Take all of `chunk`."""
        count = self.sink.write(chunk)
        self.bytes_written += count
        return count


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive that is read; `total_bytes` is its size."""

    source: ByteSource
    total_bytes: int


class Place(Protocol):
    """One archive's place."""

    def staged(self) -> AbstractContextManager[Staged]:
        """Give what to write to; the archive is there when the block ends well, and only then.

        Raises:
            TargetUnfit: it cannot be written.
        """

    def opened(self) -> AbstractContextManager[Opened]:
        """Give what to read.

        Raises:
            ArchiveError: it is not there or cannot be read.
        """

    def status(self) -> os.stat_result | None:
        """Return the status of what stands there as a file of this machine; None where nothing does."""


class Shelf(Protocol):
    """A folder of archives."""

    def place(self, name: str) -> Place:
        """Return the place of the archive `name` in it."""

    def names(self) -> tuple[str, ...]:
        """Return the names of what is in it.

        Raises:
            ArchiveError: it cannot be listed.
        """

    def tidy(self) -> None:
        """Remove what killed runs have left, where that can be told from what is being written."""

    def remove(self, name: str) -> None:
        """Remove one.

        Raises:
            ArchiveError: it cannot be removed.
        """


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file."""

    path: Path

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """See the port."""
        with staged_file(self.path) as file:
            yield Staged(file, os.fstat(file.fileno()))

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """See the port."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise ArchiveError(f"{shown(str(self.path))} cannot be opened: {error.strerror}") from error
        with file:
            yield Opened(file, os.fstat(file.fileno()).st_size)

    def status(self) -> os.stat_result | None:
        """See the port."""
        try:
            return self.path.lstat()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class LocalShelf:
    """A folder."""

    folder: Path

    def place(self, name: str) -> Place:
        """See the port."""
        return LocalPlace(self.folder / name)

    def names(self) -> tuple[str, ...]:
        """See the port."""
        try:
            return tuple(path.name for path in self.folder.iterdir() if path.is_file() and not path.is_symlink())
        except OSError as error:
            raise TargetUnfit(f"{shown(str(self.folder))} cannot be listed: {error.strerror}") from error

    def tidy(self) -> None:
        """See the port."""
        remove_leftovers(self.folder, now_seconds=time.time())

    def remove(self, name: str) -> None:
        """See the port."""
        try:
            (self.folder / name).unlink()
        except OSError as error:
            raise TargetUnfit(f"{shown(name)} cannot be removed: {error.strerror}") from error


def as_place(where: Path | Place) -> Place:
    """Return the place that a path means."""
    return LocalPlace(where) if isinstance(where, Path) else where
