"""Whether this front can serve, told by the standard health service (grpc.health.v1) and by metrics.

The empty name speaks for the process: it serves until it drains, since a restart mends no token and no disk. The name
of VaultService speaks for what it needs, a keeper with an open vault and the store: that one is for load balancers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NoReturn

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from strongroom_service.domain.errors import Fault
from strongroom_service.front.guard import SERVICE_NAME, TENANT_SERVICE_NAME
from strongroom_service.front.unreadable import Unreadable
from strongroom_service.telemetry.metrics import Component

if TYPE_CHECKING:
    from strongroom_service.front.guard import Log
    from strongroom_service.telemetry.metrics import Metrics

_INTERVAL_SECONDS: Final = 1.0
_PROCESS: Final = ""
_NO_MESSAGE: Final = "The request is no message of this RPC."
_STATUSES: Final = {
    True: health_pb2.HealthCheckResponse.SERVING,
    False: health_pb2.HealthCheckResponse.NOT_SERVING,
}


class BoundedHealth(aio.HealthServicer):
    """The health service, but for its watches: they never end, need no token, and so could be had without number."""

    def __init__(self, *, most_watches: int) -> None:
        super().__init__()
        self._most_watches = most_watches
        self._watches = 0

    async def Check(  # noqa: N802  the name of the proto's RPC
        self,
        request: health_pb2.HealthCheckRequest | Unreadable,
        context: grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse],
    ) -> health_pb2.HealthCheckResponse:
        """Tell how a service is."""
        if isinstance(request, Unreadable):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _NO_MESSAGE)
        return await super().Check(request, context)

    async def Watch(  # noqa: N802  the name of the proto's RPC
        self,
        request: health_pb2.HealthCheckRequest | Unreadable,
        context: grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse],
    ) -> None:
        """Tell every change; above the bound, that there are too many watches. Checks are always answered."""
        if isinstance(request, Unreadable):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _NO_MESSAGE)
        if self._watches >= self._most_watches:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many watches: use Check.")
        self._watches += 1
        try:
            await super().Watch(request, context)
        finally:
            self._watches -= 1


class Readiness:
    """Looks after what the front needs, every second and when told that something changed.

    Attributes:
        servicer: the health service; needs neither account token nor deadline.
    """

    def __init__(
        self,
        *,
        check_store: Callable[[], Awaitable[None]],
        most_watches: int,
        metrics: Metrics,
        log: Log,
    ) -> None:
        """`check_store` raises a Fault while the store gives no answer."""
        self.servicer = BoundedHealth(most_watches=most_watches)
        self._keepers_ready = False
        self._check_store = check_store
        self._metrics = metrics
        self._log = log
        self._changed = asyncio.Event()
        self._ready: bool | None = None
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether VaultService is served, as last looked; not while it drains."""
        return self._ready is True and not self._draining

    def note_keepers(self, ready: bool) -> None:  # noqa: FBT001  a callback with this one argument
        """Be told whether a keeper has the vault open; what waits for the next look does not wait longer."""
        self._keepers_ready = ready
        self._changed.set()

    async def watch(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            self._changed.clear()
            await self.look()
            try:
                async with asyncio.timeout(_INTERVAL_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Look once, and tell."""
        keepers, store = self._keepers_ready, await self._store_answers()
        self._metrics.set_ready(Component.KEEPERS, ready=keepers)
        self._metrics.set_ready(Component.STORE, ready=store)
        ready = keepers and store
        if ready != self._ready:
            self._ready = ready
            self._log.info("readiness", ready=ready, keepers=keepers, store=store)
            await self.servicer.set(_PROCESS, _STATUSES[True])
            for service in (SERVICE_NAME, TENANT_SERVICE_NAME):
                await self.servicer.set(service, _STATUSES[ready])

    async def drain(self) -> None:
        """Say for good that this process serves no more."""
        self._draining = True
        await self.servicer.enter_graceful_shutdown()

    async def _store_answers(self) -> bool:
        try:
            await self._check_store()
        except Fault as fault:
            self._log.error("store_unwell", error=type(fault).__name__, why=str(fault))
            return False
        return True
