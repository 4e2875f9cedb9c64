"""Writing an archive: one straight line from a folder to a `.tar.zst.age` file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strongroom_client.archive.pipeline import seal_stream
from strongroom_client.archive.source_tree import (
    Found,
    file_content,
    link_target,
    opened_file,
    opened_source,
    walk_source,
)
from strongroom_client.archive.staging import staged_file
from strongroom_client.archive.tar_format import CHUNK_BYTES, END_OF_ARCHIVE, Entry, Kind, encode_entry, padding
from strongroom_client.progress import Progress, SilentProgress

# zstd's fastest ordinary level: most of a backup is media that no level makes smaller, and age stays the slowest part.
COMPRESSION_LEVEL = 1
_ROOT_NAME = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSummary:
    """What went into an archive.

    Attributes:
        files: regular files whose content it holds.
        directories: folders, the source itself not counted.
        links: symbolic links, and further names of files already in it (hard links).
        bytes_read: content of all files.
        bytes_written: size of the archive.
        skipped: paths below the source that no archive can hold (sockets, pipes, devices), and the file that this
            archive replaces when that lies in the source.
    """

    files: int
    directories: int
    links: int
    bytes_read: int
    bytes_written: int
    skipped: tuple[str, ...]


def write_archive(
    *,
    source: Path,
    target: Path,
    recipients: Sequence[str],
    progress: Progress | None,
    level: int = COMPRESSION_LEVEL,
) -> ArchiveSummary:
    """Write the folder `source` to `target`, encrypted to each of `recipients` (`age1...`), in constant memory.

    `level` is zstd's, 1 (fast) to 19 (small).

    Kept are names byte for byte, permission bits, modification times to the nanosecond, symbolic and hard links; not
    kept are owners, extended attributes and set-user-id bits. `target` has mode 0600, replaces a file of that name,
    and appears only when it is complete and synced to disk.

    Raises:
        SourceUnfit: `source` is not a folder, or is a symbolic link.
        SourceChanged: something in it changed or vanished meanwhile.
        SourceUnreadable: something in it cannot be read.
        TargetUnfit: `target` cannot be written.
        ArchiveError: `recipients` is empty or holds a malformed one.
    """
    with opened_source(source) as root, staged_file(target) as staged:
        run = _Run(
            root=root,
            staged=os.fstat(staged.fileno()),
            replaced=_status(target),
            progress=SilentProgress() if progress is None else progress,
        )
        run.progress.begin(task="archive", total_bytes=0 if progress is None else _content_bytes(root))
        seal_stream(run.tar_stream(), sink=staged, recipients=recipients, level=level)
        bytes_written = staged.tell()
    run.progress.end()
    return ArchiveSummary(
        files=run.files,
        directories=run.directories,
        links=run.links,
        bytes_read=run.bytes_read,
        bytes_written=bytes_written,
        skipped=tuple(run.skipped),
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    root: int
    staged: os.stat_result
    replaced: os.stat_result | None
    progress: Progress
    files: int = 0
    directories: int = 0
    links: int = 0
    bytes_read: int = 0
    skipped: list[str] = field(default_factory=list)
    _first_names: dict[tuple[int, int], str] = field(default_factory=dict)

    def tar_stream(self) -> Iterator[bytes]:
        yield _header(_ROOT_NAME, Kind.DIRECTORY, os.fstat(self.root))
        for found in walk_source(self.root):
            if not os.path.samestat(found.status, self.staged):
                yield from self._entry(found)
        yield END_OF_ARCHIVE

    def _entry(self, found: Found) -> Iterator[bytes]:
        mode = found.status.st_mode
        if stat.S_ISDIR(mode):
            self.directories += 1
            yield _header(found.name, Kind.DIRECTORY, found.status)
        elif stat.S_ISLNK(mode):
            self.links += 1
            yield _header(found.name, Kind.SYMLINK, found.status, link=link_target(found))
        elif not stat.S_ISREG(mode) or (self.replaced and os.path.samestat(found.status, self.replaced)):
            self.skipped.append(found.name)
        elif first_name := self._first_name(found):
            self.links += 1
            yield _header(found.name, Kind.HARD_LINK, found.status, link=first_name)
        else:
            self.files += 1
            yield from self._file(found)

    def _file(self, found: Found) -> Iterator[bytes]:
        with opened_file(found) as descriptor:
            status = os.fstat(descriptor)
            yield _header(found.name, Kind.FILE, status, size=status.st_size)
            for chunk in file_content(descriptor, name=found.name, status=status, chunk_bytes=CHUNK_BYTES):
                self.bytes_read += len(chunk)
                self.progress.advance(len(chunk))
                yield chunk
        yield padding(status.st_size)

    def _first_name(self, found: Found) -> str | None:
        """Return the name under which this very file is already in the archive; remember its first name otherwise."""
        if found.status.st_nlink == 1:
            return None
        inode = (found.status.st_dev, found.status.st_ino)
        first_name = self._first_names.setdefault(inode, found.name)
        return None if first_name == found.name else first_name


def _header(name: str, kind: Kind, status: os.stat_result, *, size: int = 0, link: str = "") -> bytes:
    return encode_entry(
        Entry(name=name, kind=kind, mode=status.st_mode, mtime_ns=status.st_mtime_ns, size=size, link=link)
    )


def _content_bytes(root: int) -> int:
    """Return about how much there is to read: for the progress bar only, nothing is decided by it."""
    return sum(found.status.st_size for found in walk_source(root) if stat.S_ISREG(found.status.st_mode))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None
