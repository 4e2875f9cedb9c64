"""Judge, commit, fulfil: the only caller of these three steps, in this order.

Nothing is unwrapped, and no verdict leaves, before the attempt is durably recorded (docs/threat-model.md, promise 1).
The three steps run in a task of their own, so that a caller who hangs up between them neither cancels a commit under
way nor leaves one behind that nobody looked at.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from strongroom_service.application.keepers import AlreadyGranted
from strongroom_service.application.present_record import load_and_present, present
from strongroom_service.domain.errors import Reason, Refusal, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.application.keepers import Caller, Completion, Keeper, SignedReply, TenantCaller
    from strongroom_service.application.stores import RecordStore
    from strongroom_service.domain.ceremonies import Operation
    from strongroom_service.domain.events import Outcome


class Attempts:
    """Completions of ceremonies, each shielded from its caller's cancellation."""

    def __init__(self, *, keeper: Keeper, store: RecordStore, note: Callable[[Operation, Outcome], None]) -> None:
        """`note` hears how each judged attempt ended, once it is committed."""
        self._keeper = keeper
        self._store = store
        self._note = note
        self._running: set[asyncio.Task[SignedReply]] = set()

    async def complete(self, caller: Caller | TenantCaller, *, record_id: bytes, completion: Completion) -> SignedReply:
        """Judge `completion`, commit the attempt, and return the signed reply.

        Raises:
            Refusal: policy said no; BEGIN_AGAIN when another change was committed first.
            Fault: machinery broke; nothing was answered that was not committed.
        """
        task = asyncio.create_task(self._complete(caller, record_id=record_id, completion=completion))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait until every completion under way has come to its end."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _finished(self, task: asyncio.Task[SignedReply]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: a caller who hung up leaves nobody else to retrieve it

    async def _complete(
        self, caller: Caller | TenantCaller, *, record_id: bytes, completion: Completion
    ) -> SignedReply:
        row, verdict = await load_and_present(
            self._store,
            record_id,
            lambda row: self._keeper.judge(caller, completion=completion, row=row),
        )
        if not isinstance(verdict, AlreadyGranted):
            try:
                await self._store.commit(verdict.change)
            except VersionConflict as conflict:
                raise Refusal(Reason.BEGIN_AGAIN, detail="another change was committed first") from conflict
            self._note(completion.operation, verdict.outcome)
            if verdict.refusal is not None:
                raise verdict.refusal
            row = verdict.change.record
        elif row is not None:
            # The grant was read, not committed by us, and whoever committed it may not know how that ended.
            try:
                await self._store.confirm(row)
            except VersionConflict as conflict:
                raise Refusal(Reason.BEGIN_AGAIN, detail="the attempt was taken back") from conflict

        # Another completion may be committed and presented before ours is fulfilled: its row carries our grant too.
        _, reply = await present(
            self._store,
            record_id,
            row,
            lambda row: self._keeper.fulfil(caller, completion=completion, row=row),
        )
        return reply
