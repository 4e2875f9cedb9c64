"""Two folder trees, compared by everything that an archive promises to keep.

That is: names byte for byte, kinds, permission bits, modification times to the nanosecond, contents, where symbolic
links point, and which names are one file. Not compared are owners, extended attributes, and set-user-id, set-group-id
and sticky bits; sockets, pipes and devices are passed over. Written without any of the client's code, which it judges.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum, unique
from pathlib import Path
from typing import Final

ROOT: Final = b"."
_PERMISSIONS: Final = 0o777
_SHOWN_DIFFERENCES: Final = 5


@unique
class Kind(Enum):
    """What an entry is."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One name in a tree.

    Attributes:
        mode: permission bits.
        mtime_ns: nanoseconds since 1970.
        content: size in bytes and SHA-256 of a file; None else.
        link: what a symbolic link says; None else.
        names: of a file, all its names in this tree, sorted: hard links have more than one. Empty else.
    """

    kind: Kind
    mode: int
    mtime_ns: int
    content: tuple[int, str] | None
    link: bytes | None
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A whole tree, by path below its root (bytes, parts joined by "/"); the root itself is `ROOT`."""

    entries: Mapping[bytes, TreeEntry]

    @property
    def files(self) -> int:
        """Return the number of files; one with several names counts once."""
        return sum(1 for name, entry in self.entries.items() if entry.names[:1] == (name,))

    @property
    def folders(self) -> int:
        """Return the number of folders below the root."""
        return sum(1 for entry in self.entries.values() if entry.kind is Kind.FOLDER) - 1

    @property
    def links(self) -> int:
        """Return the number of symbolic links and of further names of files."""
        return len(self.entries) - 1 - self.files - self.folders

    @property
    def content_bytes(self) -> int:
        """Return the size of all files, each counted once."""
        return sum(
            entry.content[0] for name, entry in self.entries.items() if entry.content and entry.names[:1] == (name,)
        )


class TreesDiffer(Exception):
    """Two trees that were to be the same are not; says where, for the first few."""

    def __init__(self, differences: tuple[str, ...]) -> None:
        more = len(differences) - _SHOWN_DIFFERENCES
        rest = [f"and {more} more"] if more > 0 else []
        super().__init__("; ".join([*differences[:_SHOWN_DIFFERENCES], *rest]))
        self.differences = differences


def describe_tree(root: Path) -> Tree:
    """Read the whole tree at `root`; symbolic links are not followed.

    Raises:
        OSError: something in it cannot be read.
    """
    found = dict(_walk(os.fsencode(root)))
    names: dict[tuple[int, int], list[bytes]] = {}
    for name, (_, status) in sorted(found.items()):
        names.setdefault((status.st_dev, status.st_ino), []).append(name)
    return Tree(
        entries={
            name: _entry(path, status, names=tuple(names[status.st_dev, status.st_ino]))
            for name, (path, status) in found.items()
        }
    )


def require_same_trees(*, expected: Tree, found: Tree) -> None:
    """Compare two trees.

    Raises:
        TreesDiffer: they are not the same.
    """
    differences = tuple(
        difference
        for name in sorted(expected.entries.keys() | found.entries.keys())
        for difference in _differences(name, expected.entries.get(name), found.entries.get(name))
    )
    if differences:
        raise TreesDiffer(differences)


def _walk(root: bytes) -> Iterator[tuple[bytes, tuple[bytes, os.stat_result]]]:
    yield ROOT, (root, os.lstat(root))
    prefixes = [b""]
    while prefixes:
        prefix = prefixes.pop()
        for base in os.listdir(os.path.join(root, prefix)):  # noqa: PTH118, PTH208  names are bytes, which no Path holds
            name = prefix + base
            path = os.path.join(root, name)  # noqa: PTH118  as above
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                prefixes.append(name + b"/")
            if stat.S_IFMT(status.st_mode) in {stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK}:
                yield name, (path, status)


def _entry(path: bytes, status: os.stat_result, *, names: tuple[bytes, ...]) -> TreeEntry:
    mode, mtime_ns = status.st_mode & _PERMISSIONS, status.st_mtime_ns
    if stat.S_ISDIR(status.st_mode):
        return TreeEntry(kind=Kind.FOLDER, mode=mode, mtime_ns=mtime_ns, content=None, link=None, names=())
    if stat.S_ISLNK(status.st_mode):
        link = os.readlink(path)  # noqa: PTH115  as in _walk
        return TreeEntry(kind=Kind.SYMLINK, mode=mode, mtime_ns=mtime_ns, content=None, link=link, names=())
    with open(path, "rb") as file:  # noqa: PTH123  as in _walk
        content = (status.st_size, hashlib.file_digest(file, "sha256").hexdigest())
    return TreeEntry(kind=Kind.FILE, mode=mode, mtime_ns=mtime_ns, content=content, link=None, names=names)


def _differences(name: bytes, expected: TreeEntry | None, found: TreeEntry | None) -> Iterator[str]:
    if expected is None or found is None:
        yield f"{name!r} is {'missing' if found is None else 'extra'}"
        return
    for field in fields(TreeEntry):
        before, after = getattr(expected, field.name), getattr(found, field.name)
        if before != after:
            yield f"{name!r}: {field.name} was {_shown(field.name, before)} and is {_shown(field.name, after)}"


def _shown(field: str, value: object) -> str:
    if isinstance(value, Kind):
        return value.value
    return f"{value:04o}" if field == "mode" else repr(value)
