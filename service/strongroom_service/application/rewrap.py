"""Rewrapping: moving every record to the keys in use, beside a service that goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.application.stores import HistoryScan
from strongroom_service.domain.errors import RecordRejected, VersionConflict
from strongroom_service.domain.records import next_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.application.rows import Change, RecordRow
    from strongroom_service.domain.checkpoints import Leaf

_IDS_AT_ONCE: Final = 256
_EVENTS_AT_ONCE: Final = 64
_MOST_TRIES: Final = 5

Pace = Callable[[], Awaitable[None]]
"""Returns when the next record may be moved."""


@unique
class Unwrapped(Enum):
    """Why there is nothing to commit for a record."""

    UP_TO_DATE = "up_to_date"
    MOVED_ON = "moved_on"


class RewrapKeeper(Protocol):
    """What rewrapping asks of a keeper."""

    async def rewrap(self, row: RecordRow, *, chain_head: bytes) -> Change | Unwrapped:
        """Return the change that moves the record in `row` to the keys in use.

        Raises:
            RecordRejected: the row does not open, or its chain is not at `chain_head` (empty: not asked).
            KeeperUnavailable, TokenFault, Misconfigured: no answer.
        """


class RewrapStore(HistoryScan, Protocol):
    """What rewrapping asks of the database."""

    async def commit(self, change: Change) -> None:
        """See `RecordStore.commit`."""


@dataclass(slots=True)
class Rewrapped:
    """How many records were looked at, moved, refused, and left as they changed again and again meanwhile."""

    looked_at: int = 0
    moved: int = 0
    refused: int = 0
    left: int = 0


async def rewrap(
    store: RewrapStore,
    *,
    keeper: RewrapKeeper,
    last_leaves: Iterator[Leaf],
    pace: Pace,
    tell: Callable[[str], None],
    progress: Callable[[int], None],
) -> Rewrapped:
    """Look at every record once, and move those that are not under the keys in use.

    Safe to be stopped at any point: the next run passes over what is done. A record that is below its leaf in the last
    checkpoint, or does not lead on from it, is refused and told of: it may be one that was put back, and moved to new
    keys it would survive the old ones.

    Raises:
        Fault: database or keeper failed; what was moved stays so.
    """
    done = Rewrapped()
    leaves = _Leaves(last_leaves)
    after = b""
    while record_ids := await store.scan_record_ids(after=after, limit=_IDS_AT_ONCE):
        for record_id in record_ids:
            for missed in leaves.before(record_id):
                _refuse(done, missed.record_id, "the last checkpoint has seen it, and it has no row", tell=tell)
            try:
                await _rewrap_one(store, record_id, leaf=leaves.of(record_id), keeper=keeper, pace=pace, done=done)
            except RecordRejected as rejected:
                _refuse(done, record_id, str(rejected), tell=tell)
            done.looked_at += 1
        progress(len(record_ids))
        after = record_ids[-1]
    for missed in leaves.rest():
        _refuse(done, missed.record_id, "the last checkpoint has seen it, and it has no row", tell=tell)
    return done


async def _rewrap_one(
    store: RewrapStore, record_id: bytes, *, leaf: Leaf | None, keeper: RewrapKeeper, pace: Pace, done: Rewrapped
) -> None:
    for _ in range(_MOST_TRIES):
        row = await store.load_record(record_id)
        if row is None:
            raise RecordRejected("there are events of it, but it has no row")
        head = b"" if leaf is None else await _head_from(store, leaf, row)
        change = await keeper.rewrap(row, chain_head=head)
        if change is Unwrapped.UP_TO_DATE:
            return
        if isinstance(change, Unwrapped):
            continue
        try:
            await store.commit(change)
        except VersionConflict:
            continue
        done.moved += 1
        await pace()  # not before: the longer a change waits, the likelier another comes first
        return
    done.left += 1


async def _head_from(store: RewrapStore, leaf: Leaf, row: RecordRow) -> bytes:
    """Return the chain head at `row` that the events since `leaf` lead to."""
    if row.version < leaf.version:
        raise RecordRejected(f"it is at version {row.version}, the last checkpoint has seen it at {leaf.version}")
    version, head = leaf.version, leaf.chain_head
    while version < row.version:
        events = await store.scan_events(leaf.record_id, after_version=version, limit=_EVENTS_AT_ONCE)
        for event in events:
            if event.version != version + 1:
                break
            version, head = event.version, next_head(head, event.sealed)
            if version == row.version:
                return head
        if not events or events[-1].version != version:
            raise RecordRejected(f"its event {version + 1} is missing")
    return head


def _refuse(done: Rewrapped, record_id: bytes, why: str, *, tell: Callable[[str], None]) -> None:
    done.refused += 1
    tell(f"record {record_id.hex()} was not touched: {why}")


class _Leaves:
    """The last checkpoint's leaves beside the records, both in order of record ids."""

    def __init__(self, leaves: Iterator[Leaf]) -> None:
        self._leaves = leaves
        self._next = next(leaves, None)

    def before(self, record_id: bytes) -> Iterator[Leaf]:
        """Yield those that no record has claimed, up to `record_id`."""
        while self._next is not None and self._next.record_id < record_id:
            yield self._next
            self._next = next(self._leaves, None)

    def of(self, record_id: bytes) -> Leaf | None:
        """Return the leaf of `record_id`, if there is one."""
        if self._next is None or self._next.record_id != record_id:
            return None
        leaf, self._next = self._next, next(self._leaves, None)
        return leaf

    def rest(self) -> Iterator[Leaf]:
        """Yield those that are left."""
        if self._next is not None:
            yield self._next
        yield from self._leaves
