"""A folder that an archive is unpacked into, and that no archive can reach out of.

The defence does not rest on judging names: every part of a path is opened relative to the folder before it (openat)
with O_NOFOLLOW, and everything is created, never opened if it exists. So a path through a symbolic link, a folder
replaced by a link, a name that comes twice, or the same name in another case where the file system ignores case, ends
in an error of the kernel and not in a race. Names are judged too, since `..` and absolute paths need no link.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from strongroom_client.archive.errors import RefusedEntry, TargetUnfit, shown
from strongroom_client.archive.sparse import Extent
from strongroom_client.archive.tar_format import Entry

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_REFUSALS = {
    errno.EEXIST: "its name is taken by an earlier entry, perhaps in another case",
    errno.ENOTDIR: "its path leads through something that is not a folder",
    errno.ELOOP: "its path leads through a symbolic link",
}

Parts = tuple[str, ...]


def split_name(name: str, *, entry: str) -> Parts:
    """Return the parts of a path below the root; `()` is the root itself.

    Raises:
        RefusedEntry: `name` is empty, absolute, holds a zero byte, or goes up. `entry` is named in the error.
    """
    if not name or name.startswith("/") or "\0" in name:
        raise RefusedEntry(entry=entry, rule="its path is empty, absolute or holds a zero byte")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise RefusedEntry(entry=entry, rule="its path goes up")
    return parts


def points_outside(parts: Parts, link: str) -> bool:
    """Tell whether a symbolic link at `parts` says a path outside of the root, judged by its text alone."""
    return posixpath.normpath(posixpath.join("/root", *parts[:-1], link)).split("/")[1:2] != ["root"]


class ExtractionTree:
    """Creates entries below one open folder. Each method raises RefusedEntry, or TargetUnfit when the disk says no."""

    def __init__(self, root: int) -> None:
        """Take the descriptor of an empty folder; the caller closes it."""
        self._root = root
        # Every folder made, and the entry that states its mode and time, which are set when nothing more goes into
        # it. None: made because a path needed it; stays private unless its entry follows.
        self._folders: dict[Parts, Entry | None] = {(): None}
        self._last_folder: tuple[Parts, int] = ((), os.dup(root))

    def close(self) -> None:
        """Close what is open; the root stays the caller's."""
        os.close(self._last_folder[1])

    def make_folder(self, entry: Entry) -> None:
        """Make a folder, or adopt one that an earlier path needed."""
        parts = split_name(entry.name, entry=entry.name)
        if parts not in self._folders:
            with _creating(entry):
                os.mkdir(parts[-1], _PRIVATE_FOLDER, dir_fd=self._folder_of(parts))
        elif self._folders[parts] is not None:
            raise RefusedEntry(entry=entry.name, rule=_REFUSALS[errno.EEXIST])
        self._folders[parts] = entry

    def make_file(self, entry: Entry, content: Iterable[bytes]) -> int:
        """Make a file with its holes, mode and time; return how many bytes of data it has."""
        parts = _below_root(entry)
        with _creating(entry):
            descriptor = os.open(parts[-1], _NEW_FILE, _PRIVATE_FILE, dir_fd=self._folder_of(parts))
            try:
                written = _write_content(descriptor, entry, content)
                _set_attributes(descriptor, entry)
            finally:
                os.close(descriptor)
        return written

    def make_symlink(self, entry: Entry) -> None:
        """Make a symbolic link that says whatever it says: nothing here ever follows it."""
        parts = _below_root(entry)
        if not entry.link or "\0" in entry.link:
            raise RefusedEntry(entry=entry.name, rule="its target is empty or holds a zero byte")
        with _creating(entry):
            folder = self._folder_of(parts)
            os.symlink(entry.link, parts[-1], dir_fd=folder)
            os.utime(parts[-1], ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder, follow_symlinks=False)

    def make_hard_link(self, entry: Entry) -> None:
        """Give a file of this archive a further name."""
        parts, earlier = _below_root(entry), split_name(entry.link, entry=entry.name)
        with _creating(entry):
            folder = self._folder_of(parts)
            if earlier[:-1] not in self._folders or not earlier:
                raise RefusedEntry(entry=entry.name, rule="it is a hard link to nothing in this archive")
            source = self._open_folder(earlier[:-1])
            try:
                if not stat.S_ISREG(os.stat(earlier[-1], dir_fd=source, follow_symlinks=False).st_mode):
                    raise RefusedEntry(entry=entry.name, rule="it is a hard link to something that is not a file")
                os.link(earlier[-1], parts[-1], src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                raise RefusedEntry(entry=entry.name, rule="it is a hard link to nothing in this archive") from None
            finally:
                os.close(source)

    def finish(self) -> None:
        """Set modes and times of folders, the deepest first: a folder may end up without write permission."""
        for parts in sorted(self._folders, key=len, reverse=True):
            entry = self._folders[parts]
            if entry is not None:
                with _creating(entry):
                    folder = self._open_folder(parts)
                    try:
                        _set_attributes(folder, entry)
                    finally:
                        os.close(folder)

    def _folder_of(self, parts: Parts) -> int:
        """Return a descriptor of the folder that `parts` goes into; it stays ours and open until the next call."""
        wanted = parts[:-1]
        last, descriptor = self._last_folder
        if wanted != last:
            opened = self._open_folder(wanted)
            self._last_folder = (wanted, opened)
            os.close(descriptor)
        return self._last_folder[1]

    def _open_folder(self, parts: Parts) -> int:
        """Return a new descriptor of a folder below the root, made as far as it is missing, reached through no link."""
        folder = os.dup(self._root)
        try:
            for depth, part in enumerate(parts, start=1):
                outer, folder = folder, self._enter(folder, part, path=parts[:depth])
                os.close(outer)
        except BaseException:
            os.close(folder)
            raise
        return folder

    def _enter(self, folder: int, part: str, *, path: Parts) -> int:
        if path not in self._folders:
            os.mkdir(part, _PRIVATE_FOLDER, dir_fd=folder)
            self._folders[path] = None
        return os.open(part, _FOLDER, dir_fd=folder)


def _write_content(descriptor: int, entry: Entry, content: Iterable[bytes]) -> int:
    """Write `content` to where its pieces belong; what lies between stays a hole."""
    extents = iter((Extent(0, entry.size),) if entry.extents is None else entry.extents)
    place = end = written = 0
    for chunk in content:
        rest = memoryview(chunk)
        while rest:
            while place == end:  # a piece may be empty
                extent = next(extents)
                place, end = extent.offset, extent.end
            count = os.pwrite(descriptor, rest[: end - place], place)
            place, written, rest = place + count, written + count, rest[count:]
    if entry.extents is not None:
        os.ftruncate(descriptor, entry.size)
    return written


def _below_root(entry: Entry) -> Parts:
    parts = split_name(entry.name, entry=entry.name)
    if not parts:
        raise RefusedEntry(entry=entry.name, rule="only a folder can stand for the root")
    return parts


def _set_attributes(descriptor: int, entry: Entry) -> None:
    os.fchmod(descriptor, entry.mode)
    os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))


@contextmanager
def _creating(entry: Entry) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSALS:
            raise RefusedEntry(entry=entry.name, rule=_REFUSALS[error.errno]) from error
        raise TargetUnfit(f"{shown(entry.name)} cannot be restored: {error.strerror or error}") from error
