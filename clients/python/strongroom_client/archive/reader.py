"""Reading an archive back: to a folder, or only to see that it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom_client.age_file import ByteSource
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.extraction_tree import ExtractionTree, points_outside, split_name
from strongroom_client.archive.pipeline import OpenedStream
from strongroom_client.archive.places import Place, as_place
from strongroom_client.archive.selection import Selection
from strongroom_client.archive.staging import staged_directory
from strongroom_client.archive.tar_format import Entry, Kind, TarReader
from strongroom_client.progress import Progress, SilentProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSummary:
    """What came out of an archive.

    Attributes:
        files: regular files.
        directories: folders, the target itself not counted.
        links: symbolic and hard links.
        bytes_written: content of all files, without holes.
        outward_links: names of symbolic links that point outside of the target. They are restored as they were and
            never followed; who restores an archive from elsewhere should look at them before writing through them.
        idle_patterns: patterns of what should be restored that fitted nothing.
    """

    files: int
    directories: int
    links: int
    bytes_written: int
    outward_links: tuple[str, ...]
    idle_patterns: tuple[str, ...] = ()


def extract_archive(
    *,
    archive: Path | Place,
    target: Path,
    identities: Sequence[ArchiveIdentity],
    progress: Progress | None,
    only: Sequence[str] | None = None,
) -> ExtractSummary:
    """Restore `archive` to the folder `target` with whichever of `identities` opens it, in constant memory.

    With `only`, patterns as in `.gitignore`, what they choose and the folders it is in; the archive is then read twice.

    `target` must not exist or be an empty folder; it appears only when the whole archive was read and found sound.
    Nothing is written outside of it, whatever the archive says. Files belong to the caller, and no set-user-id,
    set-group-id or sticky bit is restored.

    Raises:
        TargetUnfit: `target` is not free, or cannot be written.
        ArchiveLocked: none of `identities` opens the archive.
        ArchiveDamaged: the archive was cut short or altered, or is not one.
        RefusedEntry: an entry asks for something that no archive may do.
        PatternError, NothingChosen: `only` is malformed, or chooses nothing.
        ArchiveError: the archive cannot be read.
    """
    selection = None if only is None else Selection(only)
    if selection is not None:
        with _opened(archive, identities, progress) as tar:
            selection.learn(tar.entries())
    with _opened(archive, identities, progress) as tar, staged_directory(target) as staged:
        root = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with closing(ExtractionTree(root)) as tree:
                tally = _Tally()
                for found in tar.entries():
                    for entry in (found,) if selection is None else selection.entries(found):
                        tally.count(entry)
                        _restore(entry, tar, tree)
                tree.finish()
        finally:
            os.close(root)
    return tally.summary(idle_patterns=() if selection is None else selection.idle_patterns)


def verify_archive(
    *, archive: Path | Place, identities: Sequence[ArchiveIdentity], progress: Progress | None
) -> ExtractSummary:
    """Read `archive` to its end and write nothing: it opens, is whole, and every entry's path stays inside.

    Raises:
        ArchiveError: as `extract_archive`; only what shows when files are made (names taken twice) is not looked for.
    """
    tally = _Tally()
    for entry in list_archive(archive=archive, identities=identities, progress=progress):
        tally.count(entry)
    return tally.summary()


def list_archive(
    *, archive: Path | Place, identities: Sequence[ArchiveIdentity], progress: Progress | None
) -> Iterator[Entry]:
    """Yield every entry of `archive`, which is whole if this ends.

    Raises:
        ArchiveError: as `verify_archive`.
    """
    with _opened(archive, identities, progress) as tar:
        yield from tar.entries()


@contextmanager
def _opened(
    archive: Path | Place, identities: Sequence[ArchiveIdentity], progress: Progress | None
) -> Iterator[TarReader]:
    progress = SilentProgress() if progress is None else progress
    with as_place(archive).opened() as sealed:
        progress.begin(task="read", total_bytes=sealed.total_bytes)
        with OpenedStream(_Counted(sealed.source, progress), identities=identities) as stream:
            yield TarReader(stream)
        progress.end()


def _restore(entry: Entry, tar: TarReader, tree: ExtractionTree) -> None:
    match entry.kind:
        case Kind.FILE:
            tree.make_file(entry, tar.content())
        case Kind.DIRECTORY:
            tree.make_folder(entry)
        case Kind.SYMLINK:
            tree.make_symlink(entry)
        case Kind.HARD_LINK:
            tree.make_hard_link(entry)


@dataclass(frozen=True, slots=True)
class _Counted:
    source: ByteSource
    progress: Progress

    def read(self, size: int) -> bytes:
        chunk = self.source.read(size)
        self.progress.advance(len(chunk))
        return chunk


class _Tally:
    def __init__(self) -> None:
        self._kinds = dict.fromkeys(Kind, 0)
        self._bytes = 0
        self._outward: list[str] = []

    def count(self, entry: Entry) -> None:
        parts = split_name(entry.name, entry=entry.name)
        self._kinds[entry.kind] += bool(parts)
        self._bytes += entry.stored
        if entry.kind is Kind.SYMLINK and points_outside(parts, entry.link):
            self._outward.append(entry.name)

    def summary(self, *, idle_patterns: tuple[str, ...] = ()) -> ExtractSummary:
        return ExtractSummary(
            files=self._kinds[Kind.FILE],
            directories=self._kinds[Kind.DIRECTORY],
            links=self._kinds[Kind.SYMLINK] + self._kinds[Kind.HARD_LINK],
            bytes_written=self._bytes,
            outward_links=tuple(self._outward),
            idle_patterns=idle_patterns,
        )
