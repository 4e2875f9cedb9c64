"""Restoring a part: which entries are wanted, and what else those need.

An archive is read front to back, and holds a file under its first name only: further names are hard links to that. So
it is read twice. The first time finds what is wanted, and for every wanted link to a file that is not, which of its
wanted names the file is then restored under.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from strongroom_client.archive.errors import NothingChosen, PatternError
from strongroom_client.archive.extraction_tree import Parts, split_name
from strongroom_client.archive.patterns import Patterns
from strongroom_client.archive.tar_format import Entry, Kind


class Selection:
    """What of an archive is wanted.

    Raises:
        PatternError: a pattern is malformed, or there is none.
    """

    def __init__(self, only: Iterable[str]) -> None:
        lines = tuple(only)
        if not any(line.strip() for line in lines):
            raise PatternError("nothing is named that should be restored")
        self._patterns = Patterns(lines)
        self._sources: dict[Parts, Parts] = {}
        self._stand_ins: dict[Parts, str] = {}
        self._waiting: dict[Parts, Entry] = {}

    @property
    def idle_patterns(self) -> tuple[str, ...]:
        """Patterns that fitted nothing."""
        return self._patterns.idle

    def learn(self, entries: Iterable[Entry]) -> None:
        """Look at all entries once.

        Raises:
            NothingChosen: none of them is wanted.
        """
        wanted = 0
        for entry in entries:
            parts = split_name(entry.name, entry=entry.name)
            is_wanted = self._wants(entry, parts)
            wanted += is_wanted
            if entry.kind is Kind.HARD_LINK:
                source = self._source(split_name(entry.link, entry=entry.name))
                self._sources[parts] = source
                if is_wanted and not self._wants_file(source):
                    self._stand_ins.setdefault(source, entry.name)
        if not wanted:
            raise NothingChosen("the archive has nothing of what was asked for; `strongroom archive list` shows it")

    def entries(self, entry: Entry) -> Iterator[Entry]:
        """Yield what is to be restored at `entry`: the folders it is in, as far as they were not yet, and itself."""
        parts = split_name(entry.name, entry=entry.name)
        stand_in = self._stand_ins.get(parts) if entry.kind is Kind.FILE else None
        if stand_in is not None:
            entry, parts = replace(entry, name=stand_in), split_name(stand_in, entry=stand_in)
        elif not self._wants(entry, parts):
            if entry.kind is Kind.DIRECTORY:
                self._waiting[parts] = entry
            return
        elif entry.kind is Kind.HARD_LINK:
            source = self._source(split_name(entry.link, entry=entry.name))
            name = self._stand_ins.get(source, "/".join(source))
            if name == entry.name:
                return
            entry = replace(entry, link=name)
        for depth in range(len(parts)):
            folder = self._waiting.pop(parts[:depth], None)
            if folder is not None:
                yield folder
        yield entry

    def _wants(self, entry: Entry, parts: Parts) -> bool:
        return bool(parts) and self._patterns.chooses("/".join(parts), is_folder=entry.kind is Kind.DIRECTORY)

    def _wants_file(self, parts: Parts) -> bool:
        return self._patterns.chooses("/".join(parts), is_folder=False)

    def _source(self, parts: Parts) -> Parts:
        """Return the file that a name belongs to: some writers link to links."""
        return self._sources.get(parts, parts)
