"""Writing an archive: one straight line from a folder to a `.tar.zst.age` file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strongroom_client.archive.errors import SourceChanged, SourceUnreadable
from strongroom_client.archive.patterns import Patterns
from strongroom_client.archive.pipeline import seal_stream
from strongroom_client.archive.places import Place, as_place
from strongroom_client.archive.source_tree import (
    Found,
    Loss,
    file_content,
    file_extents,
    link_target,
    look_again,
    opened_file,
    opened_source,
    walk_source,
)
from strongroom_client.archive.sparse import Extents
from strongroom_client.archive.tar_format import CHUNK_BYTES, END_OF_ARCHIVE, Entry, Kind, encode_entry, padding
from strongroom_client.progress import Progress, SilentProgress

# zstd's fastest ordinary level: most of a backup is media that no level makes smaller, and age stays the slowest part.
COMPRESSION_LEVEL = 1
_ROOT_NAME = "."
_UNIT_BYTES = 512  # of st_blocks
_STEADY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Lost:
    """A path below the source that is not in the archive, and why."""

    name: str
    said: str


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
        excluded: how many files, links and folders, these with all that is in them, were left out by patterns.
        idle_patterns: patterns that fitted nothing; probably mistyped.
        lost: what was left out because it changed or could not be read; only where that was allowed.
    """

    files: int
    directories: int
    links: int
    bytes_read: int
    bytes_written: int
    skipped: tuple[str, ...]
    excluded: int
    idle_patterns: tuple[str, ...]
    lost: tuple[Lost, ...]


def write_archive(
    *,
    source: Path,
    target: Path | Place,
    recipients: Sequence[str],
    progress: Progress | None,
    level: int = COMPRESSION_LEVEL,
    exclude: Sequence[str] = (),
    keep_going: bool = False,
) -> ArchiveSummary:
    """Write the folder `source` to `target`, encrypted to each of `recipients` (`age1...`), in constant memory.

    `level` is zstd's, 1 (fast) to 19 (small). `exclude` are patterns as in `.gitignore` of what is left out.
    With `keep_going` what changes or cannot be read is left out, too, and named. A file is in the archive whole and as
    it was at one moment, or not at all: up to 16 MiB it is read before it is written, and again when it changed
    meanwhile; a larger one that changes under way still ends the run.

    Kept are names byte for byte, permission bits, modification times to the nanosecond, holes, symbolic and hard links;
    not kept are owners, extended attributes and set-user-id bits. `target` appears only when it is complete; a file has
    mode 0600, replaces one of that name, and is then synced to disk.

    Raises:
        SourceUnfit: `source` is not a folder, or is a symbolic link.
        SourceChanged: something in it changed or vanished meanwhile.
        SourceUnreadable: something in it cannot be read.
        TargetUnfit: `target` cannot be written.
        PatternError: `exclude` holds a malformed one.
        ArchiveError: `recipients` is empty or holds a malformed one.
    """
    place, patterns = as_place(target), Patterns(exclude)
    with opened_source(source) as root, place.staged() as staged:
        run = _Run(
            root=root,
            staged=staged.status,
            replaced=place.status(),
            patterns=patterns,
            keep_going=keep_going,
            progress=SilentProgress() if progress is None else progress,
        )
        run.progress.begin(task="archive", total_bytes=0 if progress is None else _content_bytes(root, patterns))
        seal_stream(run.tar_stream(), sink=staged, recipients=recipients, level=level)
    run.progress.end()
    return ArchiveSummary(
        files=run.files,
        directories=run.directories,
        links=run.links,
        bytes_read=run.bytes_read,
        bytes_written=staged.bytes_written,
        skipped=tuple(run.skipped),
        excluded=run.excluded,
        idle_patterns=patterns.idle,
        lost=tuple(run.lost),
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    root: int
    staged: os.stat_result | None
    replaced: os.stat_result | None
    patterns: Patterns
    keep_going: bool
    progress: Progress
    files: int = 0
    directories: int = 0
    links: int = 0
    bytes_read: int = 0
    excluded: int = 0
    skipped: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    _first_names: dict[tuple[int, int], str] = field(default_factory=dict)

    def tar_stream(self) -> Iterator[bytes]:
        yield _header(_ROOT_NAME, Kind.DIRECTORY, os.fstat(self.root))
        for found in walk_source(self.root, leave_out=self._leave_out, lose=self._lose):
            if not (self.staged and os.path.samestat(found.status, self.staged)):
                yield from self._entry(found)
        yield END_OF_ARCHIVE

    def _lose(self, loss: Loss) -> None:
        if not self.keep_going:
            raise loss
        self.lost.append(Lost(loss.name, str(loss)))

    def _leave_out(self, name: str, /, *, is_folder: bool) -> bool:
        chosen = self.patterns.chooses(name, is_folder=is_folder)
        self.excluded += chosen
        return chosen

    def _entry(self, found: Found) -> Iterator[bytes]:
        mode = found.status.st_mode
        if stat.S_ISDIR(mode):
            self.directories += 1
            yield _header(found.name, Kind.DIRECTORY, found.status)
        elif stat.S_ISLNK(mode):
            yield from self._symlink(found)
        elif not stat.S_ISREG(mode) or (self.replaced and os.path.samestat(found.status, self.replaced)):
            self.skipped.append(found.name)
        elif first_name := self._first_name(found):
            self.links += 1
            yield _header(found.name, Kind.HARD_LINK, found.status, link=first_name)
        else:
            yield from self._file_or_loss(found)

    def _symlink(self, found: Found) -> Iterator[bytes]:
        try:
            header = _header(found.name, Kind.SYMLINK, found.status, link=link_target(found))
        except (SourceChanged, SourceUnreadable) as loss:
            self._lose(loss)
        else:
            self.links += 1
            yield header

    def _file_or_loss(self, found: Found) -> Iterator[bytes]:
        """Yield a file; where it changes or cannot be read, nothing of it, and it may be known by another name."""
        if not self.keep_going:
            yield from self._file(found)
            return
        for last in (False, False, True):
            try:
                found = look_again(found)
                steady = self._steady(found)
            except (SourceChanged, SourceUnreadable) as loss:
                if last or isinstance(loss, SourceUnreadable):
                    self._lose(loss)
                    self._first_names.pop((found.status.st_dev, found.status.st_ino), None)
                    return
            else:
                yield from self._file(found) if steady is None else steady
                return

    def _steady(self, found: Found) -> tuple[bytes, ...] | None:
        """Return a small file as it was at one moment, or None for one that is too large to be held."""
        if min(found.status.st_size, found.status.st_blocks * _UNIT_BYTES) > _STEADY_BYTES:
            with opened_file(found):
                return None
        before = self.bytes_read, self.files
        try:
            return tuple(self._file(found))
        except BaseException:
            self.bytes_read, self.files = before
            raise

    def _file(self, found: Found) -> Iterator[bytes]:
        with opened_file(found) as descriptor:
            status = os.fstat(descriptor)
            extents = file_extents(descriptor, name=found.name, status=status)
            entry = _entry(found.name, Kind.FILE, status, size=status.st_size, extents=extents)
            self.files += 1
            yield encode_entry(entry)
            for chunk in file_content(
                descriptor, name=found.name, status=status, extents=extents, chunk_bytes=CHUNK_BYTES
            ):
                self.bytes_read += len(chunk)
                self.progress.advance(len(chunk))
                yield chunk
        yield padding(entry.stored)

    def _first_name(self, found: Found) -> str | None:
        """Return the name under which this very file is already in the archive; remember its first name otherwise."""
        if found.status.st_nlink == 1:
            return None
        inode = (found.status.st_dev, found.status.st_ino)
        first_name = self._first_names.setdefault(inode, found.name)
        return None if first_name == found.name else first_name


def _header(name: str, kind: Kind, status: os.stat_result, *, link: str = "") -> bytes:
    return encode_entry(_entry(name, kind, status, link=link))


def _entry(
    name: str,
    kind: Kind,
    status: os.stat_result,
    *,
    size: int = 0,
    link: str = "",
    extents: Extents | None = None,
) -> Entry:
    return Entry(
        name=name, kind=kind, mode=status.st_mode, mtime_ns=status.st_mtime_ns, size=size, link=link, extents=extents
    )


def _content_bytes(root: int, patterns: Patterns) -> int:
    """Return about how much there is to read: for the progress bar only, nothing is decided by it."""
    statuses = (found.status for found in walk_source(root, leave_out=patterns.chooses, lose=lambda _: None))
    return sum(
        min(status.st_size, status.st_blocks * _UNIT_BYTES) for status in statuses if stat.S_ISREG(status.st_mode)
    )
