"""Reading a folder tree without being led out of it.

Everything is opened relative to the folder it was found in (openat) and never through a symbolic link, so a tree that
changes underfoot cannot make the archive hold a file from elsewhere. A file is taken whole and unchanged, or not at
all: an archive that silently held half a file would be found out at the restore.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from strongroom_client.archive.errors import SourceChanged, SourceUnfit, SourceUnreadable, shown
from strongroom_client.archive.sparse import Extent, Extents, find_extents

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Not blocking: a pipe put in the place of a file must not hang the run.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_REPLACED = {errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EINVAL}  # EINVAL: readlink of no link


Loss = SourceChanged | SourceUnreadable


def refuse(loss: Loss) -> None:
    """Go no further.

    Raises:
        SourceChanged, SourceUnreadable: what was lost.
    """
    raise loss


class LeaveOut(Protocol):
    """Says what of a source is not archived."""

    def __call__(self, name: str, /, *, is_folder: bool) -> bool:
        """Tell whether what is at the path `name` below the source is left out, with all that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing found in the source.

    Attributes:
        name: path below the source, parts joined by "/".
        base: last part of `name`.
        folder: descriptor of the folder it is in; valid until the next one is asked for.
        status: its own, links not followed.
    """

    name: str
    base: str
    folder: int
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class _Level:
    folder: int
    prefix: str
    bases: Iterator[str]


@contextmanager
def opened_source(source: Path) -> Iterator[int]:
    """Yield a descriptor of the folder `source`.

    Raises:
        SourceUnfit: it is not a folder, is a symbolic link, or cannot be opened.
    """
    try:
        folder = os.open(source, _FOLDER)
    except OSError as error:
        message = f"{shown(str(source))} is not a folder that can be read (a symbolic link is not followed)"
        raise SourceUnfit(message) from error
    try:
        yield folder
    finally:
        os.close(folder)


def file_extents(descriptor: int, *, name: str, status: os.stat_result) -> Extents | None:
    """Return where an open file has data; None where it has no holes.

    Raises:
        SourceUnreadable: its file system fails.
    """
    with _reading(name):
        return find_extents(descriptor, status)


def walk_source(root: int, *, leave_out: LeaveOut, lose: Callable[[Loss], None] = refuse) -> Generator[Found]:
    """Yield everything below `root` in the order of names, each folder before what is in it.

    What `leave_out` names is not looked into. `lose` is told what vanished or was replaced between being listed and
    being looked at, and which folders cannot be read; it raises that, or the walk goes on without.
    """
    levels: list[_Level] = []
    try:
        levels.append(_level(".", folder=root, name=""))
        while levels:
            level = levels[-1]
            base = next(level.bases, None)
            if base is None:
                os.close(levels.pop().folder)
                continue
            found = _look(level, base, lose)
            if found is None:
                continue
            is_folder = stat.S_ISDIR(found.status.st_mode)
            if leave_out(found.name, is_folder=is_folder):
                continue
            yield found
            if is_folder:
                try:
                    levels.append(_level(base, folder=level.folder, name=found.name))
                except (SourceChanged, SourceUnreadable) as loss:
                    lose(loss)
    finally:
        for level in levels:
            os.close(level.folder)


def look_again(found: Found) -> Found:
    """Look anew at what stands under a name.

    Raises:
        SourceChanged: nothing does any more.
        SourceUnreadable: it cannot be looked at.
    """
    with _reading(found.name):
        return replace(found, status=os.stat(found.base, dir_fd=found.folder, follow_symlinks=False))


def file_content(
    descriptor: int, *, name: str, status: os.stat_result, extents: Extents | None, chunk_bytes: int
) -> Iterator[bytes]:
    """Yield exactly the `status.st_size` bytes of an open file, whose `status` was taken before; of `extents` only.

    Raises:
        SourceChanged: it grew, shrank or was written to meanwhile.
        SourceUnreadable: reading failed.
    """
    for extent in (Extent(0, status.st_size),) if extents is None else extents:
        place = extent.offset
        while place < extent.end:
            with _reading(name):
                chunk = os.pread(descriptor, min(extent.end - place, chunk_bytes), place)
            if not chunk:
                raise SourceChanged(name=name, problem="became shorter")
            place += len(chunk)
            yield chunk
    with _reading(name):
        after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise SourceChanged(name=name, problem="was written to")


@contextmanager
def opened_file(found: Found) -> Iterator[int]:
    """Yield a descriptor of a regular file.

    Raises:
        SourceChanged: it vanished, or something else stands in its place.
        SourceUnreadable: it cannot be opened.
    """
    with _reading(found.name):
        descriptor = os.open(found.base, _FILE, dir_fd=found.folder)
    try:
        with _reading(found.name):
            status = os.fstat(descriptor)
        if not os.path.samestat(status, found.status) or not stat.S_ISREG(status.st_mode):
            raise SourceChanged(name=found.name, problem="was replaced")
        yield descriptor
    finally:
        os.close(descriptor)


def link_target(found: Found) -> str:
    """Return what a symbolic link says.

    Raises:
        SourceChanged: it vanished or is no link any more.
        SourceUnreadable: it cannot be read.
    """
    with _reading(found.name):
        return os.readlink(found.base, dir_fd=found.folder)


def _look(level: _Level, base: str, lose: Callable[[Loss], None]) -> Found | None:
    name = level.prefix + base
    try:
        with _reading(name):
            status = os.stat(base, dir_fd=level.folder, follow_symlinks=False)
    except (SourceChanged, SourceUnreadable) as loss:
        lose(loss)
        return None
    return Found(name=name, base=base, folder=level.folder, status=status)


def _level(base: str, *, folder: int, name: str) -> _Level:
    with _reading(name):
        opened = os.open(base, _FOLDER, dir_fd=folder)
        try:
            bases = sorted(os.listdir(opened))  # noqa: PTH208  a Path cannot stand for a descriptor
        except BaseException:
            os.close(opened)
            raise
    return _Level(opened, f"{name}/" if name else "", iter(bases))


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceChanged(name=name, problem="vanished") from error
    except OSError as error:
        if error.errno in _REPLACED:
            raise SourceChanged(name=name, problem="was replaced") from error
        raise SourceUnreadable(name=name, problem=error.strerror or "input/output error") from error
