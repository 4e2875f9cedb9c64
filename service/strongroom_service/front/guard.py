"""What surrounds every RPC: deadline, ceiling, peer's rate, metrics, span, log line; the place to make errors statuses.

One decorator, not a stack of interceptors: each of those costs every call another coroutine and context.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

from strongroom.v1 import tenant_service_pb2, vault_service_pb2
from strongroom_service.domain.errors import OutcomeUnknown, Reason, RecordRejected, Refusal
from strongroom_service.domain.rates import RpcClass
from strongroom_service.front.caller import REQUEST_ID_KEY, request_id_of
from strongroom_service.front.flood_log import CHEAP_REASONS, FloodLog
from strongroom_service.front.peers import peer_key
from strongroom_service.front.rates import RPC_CLASSES
from strongroom_service.front.slots import Slot, Slots
from strongroom_service.front.status import DETAILS_KEY, ErrorStatus, log_detail_of, status_of
from strongroom_service.front.unreadable import Unreadable
from strongroom_service.telemetry.logs import bound_request
from strongroom_service.telemetry.metrics import RpcMethod
from strongroom_service.telemetry.spans import NO_TRACING

if TYPE_CHECKING:
    from strongroom_service.front.calls import CallContext, GrpcContext, Metadata
    from strongroom_service.front.rates import Rates
    from strongroom_service.telemetry.metrics import Metrics, RpcMetrics
    from strongroom_service.telemetry.spans import RpcSpan, Tracing

_VAULT_SERVICE: Final = vault_service_pb2.DESCRIPTOR.services_by_name["VaultService"]
_TENANT_SERVICE: Final = tenant_service_pb2.DESCRIPTOR.services_by_name["TenantService"]
SERVICE_NAME: Final[str] = _VAULT_SERVICE.full_name
TENANT_SERVICE_NAME: Final[str] = _TENANT_SERVICE.full_name
RPC_METHODS: Final = tuple(
    RpcMethod(service.full_name, method.name)
    for service in (_VAULT_SERVICE, _TENANT_SERVICE)
    for method in service.methods
)
"""Every RPC of every service, for the metrics that are there from the start."""

_IDLE_POLL_SECONDS: Final = 0.01
_OK: Final = "OK"
_CANCELLED: Final = "CANCELLED"
_DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"

Request = TypeVar("Request")
Response = TypeVar("Response")


class Log(Protocol):
    """Structured lines. Fields never hold a secret."""

    def info(self, event: str, **fields: object) -> object:
        """Write a line about the normal run of things."""

    def error(self, event: str, **fields: object) -> object:
        """Write a line that an operator should see."""


@dataclass(frozen=True, slots=True)
class Call:
    """What an RPC's method needs of its call."""

    method: RpcMethod
    metadata: Metadata = field(repr=False)
    request_id: str
    slot: Slot


@dataclass(frozen=True, slots=True)
class _Rpc:
    method: RpcMethod
    rpc_class: RpcClass
    metrics: RpcMetrics


class Guard:
    """Runs the answers to calls."""

    def __init__(
        self,
        *,
        rates: Rates,
        metrics: Metrics,
        log: Log,
        max_deadline_seconds: float,
        max_concurrent_calls: int,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """A caller's deadline beyond `max_deadline_seconds` counts as that. For who waits at the ceiling see `Slots`.

        Health checks are not among the calls: an orchestrator would end a service that is only busy.
        """
        self._rpcs = {
            (rpc.service, rpc.method): _Rpc(rpc, RPC_CLASSES[rpc], metrics.rpc(service=rpc.service, method=rpc.method))
            for rpc in RPC_METHODS
        }
        self._rates = rates
        self._metrics = metrics
        self._log = log
        self._tracing = tracing
        self._flood_log = FloodLog(log, clock=time.monotonic)
        self._max_deadline_seconds = max_deadline_seconds
        self._slots = Slots(max_concurrent_calls, metrics=metrics)
        self._running = 0

    async def wait_until_idle(self) -> None:
        """Return when no call is under way. For the end of the service, hence without ado."""
        while self._running:  # noqa: ASYNC110  an event would cost every call, for one use at the end
            await asyncio.sleep(_IDLE_POLL_SECONDS)

    async def run(
        self,
        service: str,
        method: str,
        context: CallContext,
        answer: Callable[[Call], Awaitable[Response]],
    ) -> Response:
        """Return the answer, or end the call with the status of what was raised."""
        started_at = time.perf_counter()
        rpc = self._rpcs[service, method]
        rpc.metrics.start()
        metadata = context.invocation_metadata() or ()
        request_id = request_id_of(metadata)
        span = self._tracing.start_rpc(rpc.method, metadata)
        self._running += 1
        try:
            with bound_request(request_id):
                context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
                try:
                    response = await self._answer_in_time(rpc, context, metadata, request_id, answer)
                except asyncio.CancelledError:
                    code = _CANCELLED if (context.time_remaining() or 0.0) > 0 else _DEADLINE_EXCEEDED
                    self._finish(rpc, code, started_at, span=span, reason=None)
                    raise
                except Exception as error:  # noqa: BLE001  the last resort: whatever it is, the caller reads a fixed text
                    await self._end(rpc, context, request_id, error, started_at, span=span)
                self._finish(rpc, _OK, started_at, span=span, reason=None)
                return response
        finally:
            self._running -= 1

    async def _answer_in_time(
        self,
        rpc: _Rpc,
        context: CallContext,
        metadata: Metadata,
        request_id: str,
        answer: Callable[[Call], Awaitable[Response]],
    ) -> Response:
        remaining = context.time_remaining()
        if remaining is None:
            raise Refusal(Reason.DEADLINE_REQUIRED)
        peer = peer_key(context.peer())
        slot = self._slots.take(rpc.rpc_class, peer)
        try:
            await self._rates.check_peer(rpc.method, peer)
            call = Call(rpc.method, metadata, request_id, slot)
            if remaining <= self._max_deadline_seconds:
                return await answer(call)  # the transport cancels us when it passes
            try:
                async with asyncio.timeout(self._max_deadline_seconds):
                    return await answer(call)
            except TimeoutError as error:
                raise OutcomeUnknown("not answered within the longest deadline that is granted") from error
        finally:
            slot.give_back()

    async def _end(
        self,
        rpc: _Rpc,
        context: CallContext,
        request_id: str,
        error: Exception,
        started_at: float,
        *,
        span: RpcSpan,
    ) -> NoReturn:
        status = status_of(error)
        self._finish(rpc, status.code.name, started_at, span=span, reason=status.reason)
        if isinstance(error, RecordRejected):
            self._metrics.stale_records.inc()
        self._log_error(rpc.method.method, status, error)
        trailers = ((REQUEST_ID_KEY, request_id), (DETAILS_KEY, status.details))
        await context.abort(status.code, status.text, trailers)

    def _finish(self, rpc: _Rpc, code: str, started_at: float, *, span: RpcSpan, reason: Reason | None) -> None:
        seconds = time.perf_counter() - started_at
        span.end(code)
        rpc.metrics.handle(code=code, seconds=seconds)
        if rpc.rpc_class is RpcClass.COMPLETE and reason is not None:
            self._metrics.refuse(reason)
        if reason is None:
            self._log.info("rpc", method=rpc.method.method, code=code, seconds=round(seconds, 6))

    def _log_error(self, method: str, status: ErrorStatus, error: Exception) -> None:
        if status.reason in CHEAP_REASONS:
            write: Callable[..., object] = self._flood_log.info
        else:
            write = self._log.info if isinstance(error, Refusal) else self._log.error
        write("rpc", method=method, code=status.code.name, reason=status.reason.value, why=log_detail_of(error))


class Guarded(Protocol):
    """A servicer whose methods `guarded` may wrap."""

    @property
    def guard(self) -> Guard:
        """What runs its answers."""

    @property
    def service(self) -> str:
        """The service's full name."""


ServicerT = TypeVar("ServicerT", bound=Guarded)


def guarded(
    method: Callable[[ServicerT, Request, Call], Awaitable[Response]],
) -> Callable[[ServicerT, Request, GrpcContext | CallContext], Coroutine[Any, Any, Response]]:
    """Make an RPC of a servicer's method, which gets the `Call` in place of its transport's context."""
    name = method.__name__

    @functools.wraps(method)
    async def rpc(self: ServicerT, request: Request, context: GrpcContext | CallContext) -> Response:
        answer = request.refuse if isinstance(request, Unreadable) else functools.partial(method, self, request)
        return await self.guard.run(self.service, name, context, answer)

    return rpc
