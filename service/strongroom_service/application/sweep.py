"""Sweeping: making durable, in every record, that what was due to be erased is gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.application.stores import HistoryScan
from strongroom_service.domain.errors import VersionConflict

if TYPE_CHECKING:
    from strongroom_service.application.rows import Change, RecordRow

_PAGE: Final = 256


@unique
class Unswept(Enum):
    """Why there is nothing to commit for a record."""

    NOTHING_DUE = "nothing_due"
    MOVED_ON = "moved_on"


class SweepKeeper(Protocol):
    """What sweeping asks of a keeper: time alone decides, so there is no caller."""

    async def sweep(self, row: RecordRow) -> Change | Unswept:
        """Return the change that erases what is due in `row`.

        Raises:
            RecordRejected: the row does not open.
            KeeperUnavailable, TokenFault, Misconfigured: no answer.
        """


class SweepStore(HistoryScan, Protocol):
    """What sweeping asks of the database."""

    async def commit(self, change: Change) -> None:
        """See `RecordStore.commit`."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many records were looked at, in how many something was erased, and how many changed under our hands."""

    looked_at: int
    erased: int
    moved_on: int


async def sweep(store: SweepStore, *, keeper: SweepKeeper) -> Swept:
    """Look at every record once, and erase what is due. Safe to be stopped at any point and to be run beside others.

    A record that changes meanwhile is left for the next time: its change has left out what was due as well.

    Raises:
        RecordRejected: a row does not open; what was swept before stays so.
        Fault: machinery broke; likewise.
    """
    looked_at = erased = moved_on = 0
    after = b""
    while page := await store.scan_record_ids(after=after, limit=_PAGE):
        for record_id in page:
            row = await store.load_record(record_id)
            verdict = Unswept.NOTHING_DUE if row is None else await keeper.sweep(row)
            unswept = verdict if isinstance(verdict, Unswept) else await _commit(store, verdict)
            looked_at += 1
            erased += unswept is None
            moved_on += unswept is Unswept.MOVED_ON
        after = page[-1]
    return Swept(looked_at=looked_at, erased=erased, moved_on=moved_on)


async def _commit(store: SweepStore, change: Change) -> Unswept | None:
    try:
        await store.commit(change)
    except VersionConflict:
        return Unswept.MOVED_ON
    return None
