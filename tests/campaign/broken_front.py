"""A front with one defect, for controls: what the checker must see. Otherwise the front of `tests.fakes.stepped_front`.

python -m tests.campaign.broken_front CONFIG_FILE     the file `defect` beside it holds the defect's name

Until there is a file `armed` beside it too, nothing is broken, so that accounts can be enrolled.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from enum import Enum, unique
from pathlib import Path
from typing import Final, cast
from unittest import mock

from strongroom_service.application.attempt import Attempts
from strongroom_service.application.keepers import AlreadyGranted, Caller, CommitOrder, Completion, Keeper, TenantCaller
from strongroom_service.application.rows import Change, EventRow, RecordRow
from strongroom_service.application.stores import RecordStore
from strongroom_service.bootstrap import front
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import StrongroomError
from strongroom_service.domain.events import Outcome
from strongroom_service.store import sqlite_statements

ARMED_NAME: Final = "armed"
_LATE_SECONDS: Final = 0.6


@unique
class Defect(Enum):
    """What is broken."""

    COMMITS_LATE = "commits late"
    FORGETS_FAILURES = "forgets failures"
    FULFILS_FIRST = "fulfils first"
    NO_VERSION_GUARD = "no version guard"


class BrokenKeeper:
    """The keeper of a front that forgets what failed, or fulfils what is not committed yet."""

    def __init__(self, inner: Keeper, defect: Defect, armed: Path) -> None:
        self._inner = inner
        self._defect = defect
        self._armed = armed
        self.forgotten: set[bytes] = set()

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        verdict = await self._inner.judge(caller, completion=completion, row=row)
        if isinstance(verdict, AlreadyGranted) or not self._armed.exists():
            return verdict
        if verdict.refusal is not None and self._defect is Defect.FORGETS_FAILURES:
            self.forgotten.add(verdict.change.sealed_record)
        if verdict.refusal is None and self._defect is Defect.FULFILS_FIRST:
            await self._inner.fulfil(caller, completion=completion, row=verdict.change.record)
            await asyncio.sleep(_LATE_SECONDS)
        return verdict

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class BrokenStore:
    """The store of such a front: what failed is not kept, or all is kept a while after it was said to be."""

    def __init__(self, inner: RecordStore, keeper: BrokenKeeper, defect: Defect, armed: Path) -> None:
        self._inner = inner
        self._armed = armed
        self._keeper = keeper
        self._defect = defect
        self._late: set[asyncio.Task[None]] = set()

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        return await self._inner.load_record(record_id)

    async def confirm(self, row: RecordRow) -> None:
        await self._inner.confirm(row)

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        return await self._inner.load_events(record_id, before_version=before_version, limit=limit)

    async def commit(self, change: Change) -> None:
        if change.sealed_record in self._keeper.forgotten:
            return
        if self._defect is Defect.COMMITS_LATE and self._armed.exists():
            task = asyncio.create_task(self._commit_late(change))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        await self._inner.commit(change)

    async def _commit_late(self, change: Change) -> None:
        await asyncio.sleep(_LATE_SECONDS)
        with contextlib.suppress(StrongroomError):  # another change came first: lost, as it must be seen
            await self._inner.commit(change)


def main(config_path: Path) -> int:
    """Be the front."""
    defect = Defect(config_path.with_name("defect").read_text(encoding="ascii"))
    armed = config_path.with_name(ARMED_NAME)

    def broken_attempts(*, keeper: Keeper, store: RecordStore, note: Callable[[Operation, Outcome], None]) -> Attempts:
        broken = BrokenKeeper(keeper, defect, armed)
        return Attempts(keeper=cast("Keeper", broken), store=BrokenStore(store, broken, defect, armed), note=note)

    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(front, "Attempts", broken_attempts))
        patches.enter_context(mock.patch.object(front, "harden_process"))
        if defect is Defect.NO_VERSION_GUARD:
            for name in ("_REPLACE_RECORD", "_REPLACE_RECORDS", "_INSERT_EVENT", "_INSERT_EVENTS"):
                guarded: str = getattr(sqlite_statements, name)
                blind = guarded.replace("INSERT INTO", "INSERT OR REPLACE INTO").replace("version = ?", "version >= ?")
                blind = blind.replace("SET version >= ?", "SET version = ?")
                blind = blind.replace(" AND records.version = new.column2 - 1", "")
                patches.enter_context(mock.patch.object(sqlite_statements, name, blind))
        return front.run_front(config_path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
