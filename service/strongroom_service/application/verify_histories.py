"""Verifying every history that is stored, record by record, beside a service that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from strongroom_service.application.strange_events import StrangeEvents
from strongroom_service.domain.chains import NO_HORIZON, ChainWalk, Finding, KeptHead, Named, Strange, Unread
from strongroom_service.domain.records import GENESIS_HEAD

if TYPE_CHECKING:
    from strongroom_service.application.evidence import EvidenceKeeper
    from strongroom_service.application.rows import EventRow, RecordRow
    from strongroom_service.application.stores import HistoryScan
    from strongroom_service.domain.checkpoints import Leaf
    from strongroom_service.domain.clock import Millis

Tell = Callable[[Finding], None]
Fulfilled = Mapping[bytes, Mapping[int, frozenset[bytes]]]
"""Chain heads by record id and version, as keepers have logged them."""

_IDS_AT_ONCE: Final = 256
# A keeper answers others between two of these, and one of its frames holds them (an event is at most some 10 KiB).
_EVENTS_AT_ONCE: Final = 16


@dataclass(slots=True)
class Verified:
    """How much was looked at, and how much of it is wrong."""

    records: int = 0
    events: int = 0
    findings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What others have kept: the leaves of a checkpoint in order of record ids, and what keepers have logged."""

    checkpoint: str = ""
    leaves: Iterator[Leaf] = field(default_factory=lambda: iter(()))
    fulfilled: Fulfilled = field(default_factory=dict)


async def verify_histories(
    scan: HistoryScan, *, kept: Kept, keeper: EvidenceKeeper | None, tell: Tell, horizon: Millis = NO_HORIZON
) -> Verified:
    """Walk every record's chain from its first event to its row; `tell` hears of each thing that is wrong.

    A history may begin with an event of `horizon` or before in place of its first; a keeper tells its time.

    Raises:
        Fault: database or keeper failed; what was told until then holds.
    """
    verification = _Verification(scan, kept=kept, keeper=keeper, tell=tell, horizon=horizon)
    after = b""
    while record_ids := await scan.scan_record_ids(after=after, limit=_IDS_AT_ONCE):
        for record_id in record_ids:
            await verification.verify(record_id)
        after = record_ids[-1]
    await verification.end()
    return verification.verified


class _Verification:
    def __init__(
        self, scan: HistoryScan, *, kept: Kept, keeper: EvidenceKeeper | None, tell: Tell, horizon: Millis
    ) -> None:
        self._horizon = horizon
        self._scan = scan
        self._kept = kept
        self._keeper = keeper
        self._tell = tell
        self._strange = StrangeEvents()
        self._next_leaf = next(kept.leaves, None)
        self._fulfilled = dict(kept.fulfilled)
        self.verified = Verified()

    async def verify(self, record_id: bytes) -> None:
        """Verify one record; they come in order of their ids."""
        leaf = self._leaf_of(record_id)
        fulfilled = self._fulfilled.pop(record_id, {})
        row = await self._scan.load_record(record_id)
        self.verified.records += 1
        base = await self._scan.load_base(record_id)
        walk = ChainWalk(
            record_id,
            kept=self._kept_heads(leaf, fulfilled),
            from_version=0 if base is None else base.version,
            from_head=GENESIS_HEAD if base is None else base.chain_head,
            horizon=self._horizon,
        )
        row = await self._walk(walk, record_id, row)
        for finding in walk.findings:
            self._find(finding)
        if row is None:
            self._find_at(Named.ROW_REMOVED, record_id, walk.version, "there are events of it, but it has no row")
            return
        if leaf is not None and row.version < leaf.version:
            why = f"the row is at {row.version}, {self._kept.checkpoint} has seen it at {leaf.version}"
            self._find_at(Named.PUT_BACK, record_id, row.version, why)
        for version in sorted(each for each in fulfilled if each > row.version):
            why = f"a keeper fulfilled this version, the row is at {row.version}"
            self._find_at(Named.NOT_COMMITTED, record_id, version, why)

    async def end(self) -> None:
        """Tell of what has no place in the database, and where strange events belong."""
        while self._next_leaf is not None:
            self._miss(self._next_leaf)
            self._next_leaf = next(self._kept.leaves, None)
        for record_id, versions in self._fulfilled.items():
            self._find_at(Named.NOT_COMMITTED, record_id, max(versions), "a keeper fulfilled it, and it has no row")
        if self._keeper is not None:
            async for finding in self._strange.explained(self._keeper):
                self._find(finding)

    async def _walk(self, walk: ChainWalk, record_id: bytes, row: RecordRow | None) -> RecordRow | None:
        """Walk to the row, which may move on meanwhile; return the one the walk ended at."""
        while events := await self._scan.scan_events(record_id, after_version=walk.version, limit=_EVENTS_AT_ONCE):
            if row is not None and events[-1].version > row.version:
                row = await self._scan.load_record(record_id)
            until = row.version if row is not None else events[-1].version
            await self._take(walk, [event for event in events if event.version <= until])
            if beyond := [event for event in events if event.version > until]:
                why = f"the row is at {until}: put back without its newer events, or these were never its own"
                self._find_at(Named.INSERTED, record_id, beyond[0].version, why)
                break
        if row is not None:
            walk.end(version=row.version, chain_head=await self._head_in(row))
        return row

    async def _take(self, walk: ChainWalk, events: Sequence[EventRow]) -> None:
        looks = await self._keeper.look_at(events) if self._keeper and events else [Unread()] * len(events)
        for event, look in zip(events, looks, strict=True):
            if isinstance(look, Strange):
                self._strange.add(event)
            walk.take(version=event.version, sealed=event.sealed, look=look)
            self.verified.events += 1

    async def _head_in(self, row: RecordRow) -> bytes | None:
        if self._keeper is None:
            return None
        head = await self._keeper.chain_head_of(row)
        if head is None:
            self._find_at(Named.ROW_ALTERED, row.record_id, row.version, "the sealed record does not open")
        return head

    def _leaf_of(self, record_id: bytes) -> Leaf | None:
        while self._next_leaf is not None and self._next_leaf.record_id < record_id:
            self._miss(self._next_leaf)
            self._next_leaf = next(self._kept.leaves, None)
        if self._next_leaf is None or self._next_leaf.record_id != record_id:
            return None
        leaf, self._next_leaf = self._next_leaf, next(self._kept.leaves, None)
        return leaf

    def _kept_heads(self, leaf: Leaf | None, fulfilled: Mapping[int, frozenset[bytes]]) -> dict[int, list[KeptHead]]:
        kept: dict[int, list[KeptHead]] = {}
        if leaf is not None:
            kept[leaf.version] = [KeptHead(leaf.chain_head, kept_by=self._kept.checkpoint, named=Named.ALTERED)]
        for version, heads in fulfilled.items():
            logged = [KeptHead(head, kept_by="a keeper's log", named=Named.NOT_COMMITTED) for head in sorted(heads)]
            kept.setdefault(version, []).extend(logged)
        return kept

    def _miss(self, leaf: Leaf) -> None:
        why = f"{self._kept.checkpoint} has seen it, and it has neither row nor events"
        self._find_at(Named.ROW_REMOVED, leaf.record_id, leaf.version, why)

    def _find_at(self, named: Named, record_id: bytes, version: int, why: str) -> None:
        self._find(Finding(named=named, record_id=record_id, version=version, why=why))

    def _find(self, finding: Finding) -> None:
        self.verified.findings += 1
        self._tell(finding)
