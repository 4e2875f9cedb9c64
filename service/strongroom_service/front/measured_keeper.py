"""The keeper port with its calls counted, timed and traced; what waits for a free keeper is part of the time."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from strongroom_service.application.keepers import StaleRecord
from strongroom_service.domain.errors import Fault, KeeperUnavailable, Refusal, TokenFault
from strongroom_service.telemetry.metrics import KeeperCallKind, KeeperCallResult
from strongroom_service.telemetry.spans import NO_TRACING

if TYPE_CHECKING:
    from strongroom_service.application.keepers import (
        AlreadyGranted,
        BegunCeremony,
        Caller,
        CommitOrder,
        Completion,
        Keeper,
        SignedReply,
        TenantCaller,
    )
    from strongroom_service.application.rows import EventRow, FeedRow, RecordRow
    from strongroom_service.telemetry.metrics import Metrics
    from strongroom_service.telemetry.spans import Tracing

Answer = TypeVar("Answer")


class MeasuredKeeper:
    """Implements `application.keepers.Keeper` by another that does."""

    def __init__(self, keeper: Keeper, *, metrics: Metrics, tracing: Tracing = NO_TRACING) -> None:
        self._keeper = keeper
        self._metrics = metrics
        self._tracing = tracing

    async def describe_service(self, caller: Caller, *, nonce: bytes) -> SignedReply:
        """See the port."""
        answer = self._keeper.describe_service(caller, nonce=nonce)
        return await self._measure(KeeperCallKind.DESCRIBE_SERVICE, answer)

    async def describe_record(self, caller: Caller, *, nonce: bytes, row: RecordRow | None) -> SignedReply:
        """See the port."""
        answer = self._keeper.describe_record(caller, nonce=nonce, row=row)
        return await self._measure(KeeperCallKind.DESCRIBE_RECORD, answer)

    async def begin(self, caller: Caller, *, request: bytes, row: RecordRow | None) -> BegunCeremony:
        """See the port."""
        return await self._measure(KeeperCallKind.BEGIN, self._keeper.begin(caller, request=request, row=row))

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        """See the port."""
        return await self._measure(KeeperCallKind.JUDGE, self._keeper.judge(caller, completion=completion, row=row))

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        """See the port."""
        answer = self._keeper.fulfil(caller, completion=completion, row=row)
        return await self._measure(KeeperCallKind.FULFIL, answer)

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
        """See the port."""
        answer = self._keeper.list_events(
            caller, nonce=nonce, page_token=page_token, row=row, events=events, oldest=oldest
        )
        return await self._measure(KeeperCallKind.LIST_EVENTS, answer)

    async def list_tenant_events(
        self, caller: TenantCaller, *, nonce: bytes, cursor: bytes, events: tuple[FeedRow, ...], more: bool
    ) -> SignedReply:
        """See the port."""
        answer = self._keeper.list_tenant_events(caller, nonce=nonce, cursor=cursor, events=events, more=more)
        return await self._measure(KeeperCallKind.LIST_TENANT_EVENTS, answer)

    async def probe(self) -> None:
        """See the port."""
        await self._measure(KeeperCallKind.PROBE, self._keeper.probe())

    async def _measure(self, call: KeeperCallKind, answer: Awaitable[Answer]) -> Answer:
        started_at = time.perf_counter()
        span = self._tracing.start_keeper_call(call)
        result = KeeperCallResult.UNAVAILABLE  # also of a call whose caller did not wait
        try:
            answered = await answer
            result = KeeperCallResult.OK
            return answered
        except KeeperUnavailable:
            raise
        except Refusal:
            result = KeeperCallResult.REFUSED
            raise
        except StaleRecord:
            result = KeeperCallResult.STALE
            raise
        except Fault as fault:
            result = KeeperCallResult.FAULT
            if isinstance(fault, TokenFault):
                self._metrics.keepers.fail_token()
            raise
        finally:
            span.end(result)
            self._metrics.call_keeper(call=call, result=result, seconds=time.perf_counter() - started_at)
