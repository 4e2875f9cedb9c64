"""One record's history, walked from its first event: its chain recomputed, and what is wrong with it named.

Without a key an event is opaque: gaps and a missing end show, and an alteration only where the chain must pass through
a head that somebody else has kept (a checkpoint, a keeper's log). A keeper that opens each event tells of every one the
head before it, and then the event that is not in its place is found by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.records import GENESIS_HEAD, next_head

NO_HORIZON = Millis(0)


@unique
class Named(Enum):
    """What can be wrong with what is stored."""

    REMOVED = "removed"
    ALTERED = "altered"
    REORDERED = "reordered"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    CUT = "cut"
    ROW_ALTERED = "row altered"
    ROW_REMOVED = "row removed"
    PUT_BACK = "put back"
    RESTORED = "restored"
    NOT_COMMITTED = "not committed"
    FORKED = "forked"
    UNLINKED = "unlinked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at a version of a record. For the whole database `record_id` is empty."""

    named: Named
    record_id: bytes
    version: int
    why: str

    def __str__(self) -> str:
        """One line for an operator."""
        place = f"record {self.record_id.hex()} version {self.version}: " if self.record_id else ""
        return f"{self.named.value}: {place}{self.why}"


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A chain head as somebody else has kept it.

    Attributes:
        kept_by: who, for the findings.
        named: what it is called when the chain does not pass through it.
    """

    chain_head: bytes
    kept_by: str
    named: Named


@dataclass(frozen=True, slots=True)
class Unread:
    """No keeper looked into the event."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A keeper opened the event in its place; the chain head that it was sealed after, and its time."""

    previous_head: bytes
    at: Millis


@dataclass(frozen=True, slots=True)
class Strange:
    """A keeper could not open the event in its place."""


Look = Unread | Opened | Strange


class ChainWalk:
    """Takes a record's events, oldest first.

    Attributes:
        version: of the newest event taken; where the walk began before the first.
        findings: what is wrong so far. Events that are `Strange` are left to who can tell where they belong.
    """

    def __init__(
        self,
        record_id: bytes,
        *,
        kept: Mapping[int, Sequence[KeptHead]],
        from_version: int = 0,
        from_head: bytes = GENESIS_HEAD,
        horizon: Millis = NO_HORIZON,
    ) -> None:
        """Begin after `from_version`, where the chain had `from_head`; it must pass through the heads of `kept`.

        Where events are gone before that, the first that is left must be of `horizon` or before.
        """
        self._record_id = record_id
        self._kept = kept
        # Not known after a gap or a strange event, until a keeper tells it anew.
        self._head: bytes | None = from_head
        self._sure_until = from_version
        self._from_version = from_version
        self._horizon = horizon
        self.version = from_version
        self.findings: list[Finding] = []

    def take(self, *, version: int, sealed: bytes, look: Look) -> None:
        """Go on over the next event that is stored."""
        if version != self.version + 1:
            self._find(Named.REMOVED, self.version + 1, _gap(self.version + 1, version - 1))
            self._head = None
        previous = self._head
        if isinstance(look, Opened):
            if version == self._from_version + 1 > 1:
                self._check_beginning(look, version=version)
            elif previous is not None and look.previous_head != previous:
                why = "an event of this record and version, but none of the chain that the next event goes on from"
                self._find(Named.INSERTED, version - 1, why)
            previous = look.previous_head
        self.version = version
        self._head = None if previous is None or isinstance(look, Strange) else next_head(previous, sealed)
        self._compare()

    def _check_beginning(self, look: Opened, *, version: int) -> None:
        if look.at > self._horizon:
            self._find(Named.REMOVED, self._from_version, "events up to this one are gone before their time")
        if look.previous_head != self._head:
            self._find(
                Named.ALTERED, version, "the head that is kept in place of older events is not that before this one"
            )

    def end(self, *, version: int, chain_head: bytes | None) -> None:
        """Compare the end with the row: its version and, where a keeper opened it, its chain head."""
        if self.version < version:
            self._find(Named.CUT, self.version + 1, f"the events end at {self.version}, the row is at {version}")
        elif chain_head is not None and self._head is not None and self._head != chain_head:
            self._find(Named.INSERTED, version, "an event of this record and version, but not the one the row goes by")

    def _compare(self) -> None:
        kept = self._kept.get(self.version, ())
        if self._head is None or not kept:
            return
        between = f"between versions {self._sure_until + 1} and {self.version}"
        for each in kept:
            if each.chain_head != self._head:
                why = f"the chain does not pass through the head of {each.kept_by}: something is altered {between}"
                self._find(each.named, self.version, why)
        # From here on by the first that was kept: what is wrong further on is a thing of its own.
        self._head = kept[0].chain_head if kept[0].named is Named.ALTERED else self._head
        self._sure_until = self.version

    def _find(self, named: Named, version: int, why: str) -> None:
        self.findings.append(Finding(named=named, record_id=self._record_id, version=version, why=why))


def _gap(first: int, last: int) -> str:
    return "there is no such event" if first == last else f"there are no events {first} to {last}"
