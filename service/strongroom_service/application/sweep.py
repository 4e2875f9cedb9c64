"""Sweeping: making durable, in every record, that what was due to be erased is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom_service.application.keepers import CommitOrder
from strongroom_service.application.present_record import load_and_present
from strongroom_service.domain.errors import VersionConflict

if TYPE_CHECKING:
    from strongroom_service.application.keepers import Keeper, NothingDue
    from strongroom_service.application.rows import RecordRow
    from strongroom_service.application.stores import HistoryScan, RecordStore


_PAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Swept:
    """How many records were looked at, and in how many something was erased."""

    looked_at: int
    erased: int


async def sweep(*, keeper: Keeper, records: RecordStore, scan: HistoryScan) -> Swept:
    """Look at every record once, and erase what is due. Safe to be stopped at any point and to be run beside others.

    Raises:
        Fault: machinery broke; what was swept before stays so.
    """
    looked_at = erased = 0
    after = b""
    while page := await scan.scan_record_ids(after=after, limit=_PAGE):
        for record_id in page:
            looked_at += 1
            erased += await sweep_record(record_id, keeper=keeper, records=records)
        after = page[-1]
    return Swept(looked_at=looked_at, erased=erased)


async def sweep_record(record_id: bytes, *, keeper: Keeper, records: RecordStore) -> bool:
    """Erase what is due in one record; return whether anything was. Raises as `sweep`."""

    async def ask(row: RecordRow | None) -> CommitOrder | NothingDue | None:
        return None if row is None else await keeper.sweep(row=row)

    _, verdict = await load_and_present(records, record_id, ask)
    if not isinstance(verdict, CommitOrder):
        return False
    try:
        await records.commit(verdict.change)
    except VersionConflict:
        return False  # whatever was committed instead has erased it too
    return True
