"""What can go wrong with an archive.

    ArchiveError
    ├── SourceUnfit         the folder to archive is none, or a symbolic link
    ├── SourceUnreadable    something in it cannot be read
    ├── SourceChanged       something in it changed or vanished while it was read
    ├── PatternError        a pattern that chooses names is malformed
    ├── NothingChosen       no entry of the archive is what was asked for
    ├── TargetUnfit         the file or folder to write cannot be written, or is not free
    ├── ArchiveLocked       none of the given identities opens the archive
    ├── ArchiveDamaged      cut short, altered, or not an archive
    └── RefusedEntry        an entry asks for something that no archive may do

Names from a file system or an archive are shown escaped: they may hold bytes that a terminal obeys.
"""

from __future__ import annotations

import os


class ArchiveError(Exception):
    """Root of the above. Whatever is raised, nothing stands under the final name."""


class SourceUnfit(ArchiveError):
    """The source is not a folder, or is a symbolic link to one."""


class SourceUnreadable(ArchiveError):
    """Something in the source cannot be read.

    Attributes:
        name: path below the source.
    """

    def __init__(self, *, name: str, problem: str) -> None:
        super().__init__(f"{shown(name)} cannot be read: {problem}")
        self.name = name


class SourceChanged(ArchiveError):
    """Something in the source changed while it was read, so that a copy would be neither the old nor the new.

    Attributes:
        name: path below the source.
    """

    def __init__(self, *, name: str, problem: str) -> None:
        super().__init__(f"{shown(name)} {problem} while it was read; stop what writes to it and run again")
        self.name = name


class PatternError(ArchiveError):
    """A pattern is malformed."""


class NothingChosen(ArchiveError):
    """No entry of the archive is what was asked for."""


class TargetUnfit(ArchiveError):
    """What is to be written cannot be, or something is in its place."""


class ArchiveLocked(ArchiveError):
    """None of the given identities opens the archive."""


class ArchiveDamaged(ArchiveError):
    """The file is not an archive, or was cut short or altered."""


class RefusedEntry(ArchiveError):
    """An entry asks for something that no archive may do.

    Attributes:
        entry: its name as stored in the archive.
        rule: what it broke, fixed text.
    """

    def __init__(self, *, entry: str, rule: str) -> None:
        super().__init__(f"archive entry {shown(entry)} refused: {rule}")
        self.entry = entry
        self.rule = rule


def shown(name: str) -> str:
    """Return `name` fit for a terminal: quoted, with every byte outside printable ASCII escaped."""
    return ascii(name) if name.isascii() else ascii(os.fsencode(name))
