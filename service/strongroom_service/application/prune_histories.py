"""Pruning: old events go, and every chain stays checkable from where it then begins.

Of each record the newest event of the horizon or before stays, so that what is gone is older than the event that a
history begins with: whoever takes away more leaves a history that begins too late, which a keeper sees by the time in
the seal. The horizon is in the vault's sealed row; the head before the first event that stays is kept beside them.
Nothing goes that the last checkpoint does not cover, and nothing of a chain that does not pass through its leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.application.rows import EventBase
from strongroom_service.application.stores import HistoryScan
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.records import GENESIS_HEAD, next_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.domain.checkpoints import Leaf
    from strongroom_service.domain.clock import Millis

_EVENTS_AT_ONCE: Final = 64


class PrunedStore(HistoryScan, Protocol):
    """What pruning asks of the database."""

    async def prune_events(self, base: EventBase) -> int:
        """Remove the record's events up to the base's version, and keep the base, in one durable transaction.

        Returns:
            How many were removed.

        Raises:
            StoreUnavailable: nothing was changed.
            OutcomeUnknown: it may have been.
        """


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many records have lost events, and how many events."""

    records: int
    events: int


async def prune_histories(store: PrunedStore, *, leaves: Iterator[Leaf], horizon: Millis) -> Pruned:
    """Remove what may go of the records in `leaves`, those of the last checkpoint. Safe to be stopped and run again.

    Raises:
        RecordRejected: a chain does not pass through its leaf: that is evidence, and stays. What went before is gone.
        Fault: the database failed; likewise.
    """
    records = events = 0
    for leaf in leaves:
        base = await _new_base(store, leaf, horizon=horizon)
        if base is not None:
            removed = await store.prune_events(base)
            records += removed > 0
            events += removed
    return Pruned(records=records, events=events)


async def _new_base(store: PrunedStore, leaf: Leaf, *, horizon: Millis) -> EventBase | None:
    """Walk to the leaf; return the base before the newest event of the horizon or before, None if nothing is to go."""
    base = await store.load_base(leaf.record_id)
    version, head = (0, GENESIS_HEAD) if base is None else (base.version, base.chain_head)
    new_base = None
    while version < leaf.version:
        limit = min(_EVENTS_AT_ONCE, leaf.version - version)
        events = await store.scan_events(leaf.record_id, after_version=version, limit=limit)
        if not events:
            raise RecordRejected(f"record {leaf.record_id.hex()} has no event {version + 1}: verify the events")
        for event in events:
            if event.version != version + 1:
                raise RecordRejected(f"record {leaf.record_id.hex()} has no event {version + 1}: verify the events")
            if event.at <= horizon and version > 0:
                new_base = EventBase(record_id=leaf.record_id, version=version, chain_head=head)
            version, head = event.version, next_head(head, event.sealed)
    if version == leaf.version and head != leaf.chain_head:
        raise RecordRejected(f"record {leaf.record_id.hex()} does not pass through its leaf: verify the events")
    return new_base if new_base != base else None
