"""A keeper that says what a test tells it to and writes down what it was asked: a fake of `application.keepers.Keeper`.

Like a real one it remembers the newest row it was presented, and calls an older one stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from strongroom_service.application.keepers import (
    AlreadyGranted,
    BegunCeremony,
    Caller,
    CommitOrder,
    Completion,
    Receipt,
    SignedReply,
    StaleRecord,
    TenantCaller,
)
from strongroom_service.application.rows import Change, EventRow, FeedRow, RecordRow
from strongroom_service.domain.errors import Refusal
from strongroom_service.domain.events import Outcome

RECEIPT = Receipt(signature=b"s" * 64, identity_fingerprint=b"f" * 32, version=7, chain_head=b"h" * 32)


class FakeKeeper:
    """Grants every completion, unless told otherwise.

    Attributes:
        journal: what happened, in order, for tests that share it with a store.
        refusal: told inside the verdict, so after its commit.
        raises: raised by the next call in place of an answer.
        already_granted: whether judging finds that it was granted before.
        newest: version of the newest row presented.
        on_call: run at the start of each call with its name, for races.
    """

    def __init__(self, *, journal: list[str] | None = None) -> None:
        self.journal = [] if journal is None else journal
        self.refusal: Refusal | None = None
        self.raises: Exception | None = None
        self.already_granted = False
        self.newest = 0
        self.on_call: Callable[[str], None] = lambda _: None
        self.asked: list[dict[str, object]] = []

    async def describe_service(self, caller: Caller, *, nonce: bytes) -> SignedReply:
        await self._enter("describe_service", caller=caller, nonce=nonce)
        return SignedReply(reply=b"service", receipt=RECEIPT)

    async def describe_record(self, caller: Caller, *, nonce: bytes, row: RecordRow | None) -> SignedReply:
        await self._enter("describe_record", caller=caller, nonce=nonce, row=row)
        self._see(row)
        return SignedReply(reply=b"record", receipt=RECEIPT)

    async def begin(self, caller: Caller, *, request: bytes, row: RecordRow | None) -> BegunCeremony:
        await self._enter("begin", caller=caller, request=request, row=row)
        self._see(row)
        return BegunCeremony(ceremony=b"ceremony", credentials=(), recovery_public_key=b"")

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        await self._enter("judge", caller=caller, completion=completion, row=row)
        self._see(row)
        if self.already_granted:
            return AlreadyGranted()
        change = Change(
            record_id=b"r" * 32,
            version=1 if row is None else row.version + 1,
            at=1,
            sealed_record=b"judged",
            sealed_event=b"event",
        )
        outcome = Outcome.GRANTED if self.refusal is None else Outcome.FAILED
        return CommitOrder(change=change, refusal=self.refusal, outcome=outcome)

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        await self._enter("fulfil", caller=caller, completion=completion, row=row)
        self._see(row)
        return SignedReply(reply=b"fulfilled", receipt=RECEIPT)

    async def list_events(
        self,
        caller: Caller,
        *,
        nonce: bytes,
        page_token: bytes,
        row: RecordRow | None,
        events: tuple[EventRow, ...],
        oldest: bool,
    ) -> SignedReply:
        await self._enter(
            "list_events", caller=caller, nonce=nonce, page_token=page_token, row=row, events=events, oldest=oldest
        )
        self._see(row)
        return SignedReply(reply=b"events", receipt=RECEIPT)

    async def list_tenant_events(
        self, caller: TenantCaller, *, nonce: bytes, cursor: bytes, events: tuple[FeedRow, ...], more: bool
    ) -> SignedReply:
        await self._enter("list_tenant_events", caller=caller, nonce=nonce, cursor=cursor, events=events, more=more)
        return SignedReply(reply=b"feed", receipt=RECEIPT)

    async def probe(self) -> None:
        await self._enter("probe")

    async def _enter(self, call: str, **arguments: object) -> None:
        self.journal.append(call)
        self.asked.append({"call": call, **arguments})
        self.on_call(call)
        await asyncio.sleep(0)
        if self.raises is not None:
            error, self.raises = self.raises, None
            raise error

    def _see(self, row: RecordRow | None) -> None:
        version = 0 if row is None else row.version
        if version < self.newest:
            raise StaleRecord(newest_version=self.newest)
        self.newest = version
