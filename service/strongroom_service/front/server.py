"""The gRPC server: TLS, limits, health, and an end that answers what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from strongroom.v1.tenant_service_pb2_grpc import add_TenantServiceServicer_to_server
from strongroom.v1.vault_service_pb2_grpc import add_VaultServiceServicer_to_server
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.rates import require_classes
from strongroom_service.front.unreadable import leaving_unreadable
from strongroom_service.telemetry.metrics import RpcMethod

if TYPE_CHECKING:
    from grpc_health.v1.health import aio

    from strongroom_service.config.vault_file import Health, Limits, Listen
    from strongroom_service.front.servicer import VaultServicer
    from strongroom_service.front.tenant_servicer import TenantServicer

# Far above the slots of `Guard`, which is the one that answers kindly. It bounds what never gets as far as that: calls
# whose message does not come. It knows no service from another, hence the health port.
_BACKSTOP_FACTOR: Final = 16
# Watches stay far below the backstop, and few enough.
_WATCHES_PER_CALL: Final = 4
_MOST_WATCHES: Final = 64
_HEALTH_MESSAGE_BYTES: Final = 1_024
_HEALTH_STREAMS: Final = 16
_FLUSH_SECONDS: Final = 0.5


class ForgivingServer:
    """What generated code registers a service with, whose methods then get UNREADABLE for what is no message."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take nothing: the same methods are registered by name too, and that is how they are taken."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take a service's methods."""
        reading = {method: leaving_unreadable(handler) for method, handler in method_handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, reading),))


class LimitedServer(ForgivingServer):
    """Takes no service with an RPC that has no rate class."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take a service's methods.

        Raises:
            Misconfigured: one of them has no rate class.
        """
        require_classes(RpcMethod(service_name, method) for method in method_handlers)
        super().add_registered_method_handlers(service_name, method_handlers)


class FrontServer:
    """Serves VaultService, TenantService and the health service on one TLS port."""

    def __init__(
        self,
        *,
        servicer: VaultServicer,
        tenant_servicer: TenantServicer,
        health: aio.HealthServicer,
        health_port: Health | None,
        listen: Listen,
        limits: Limits,
        credentials: grpc.ServerCredentials,
        wait_until_idle: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Nothing listens yet. `wait_until_idle` returns when no call of the servicer is under way."""
        self._wait_until_idle = wait_until_idle
        self._server = grpc.aio.server(
            options=server_options(limits), maximum_concurrent_rpcs=_BACKSTOP_FACTOR * limits.max_concurrent_calls
        )
        limited = cast("grpc.aio.Server", LimitedServer(self._server))
        add_VaultServiceServicer_to_server(servicer, limited)
        add_TenantServiceServicer_to_server(tenant_servicer, limited)
        health_pb2_grpc.add_HealthServicer_to_server(health, cast("grpc.aio.Server", ForgivingServer(self._server)))
        # A server of its own: whatever fills the other one, this one answers.
        self._health_server = grpc.aio.server(options=_HEALTH_OPTIONS)
        alone = cast("grpc.aio.Server", ForgivingServer(self._health_server))
        health_pb2_grpc.add_HealthServicer_to_server(health, alone)
        self._health_port = health_port
        self._listen = listen
        self._credentials = credentials

    async def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            Misconfigured: an address is not there, or in use.
        """
        with _listening_on(self._listen) as address:
            self._server.add_secure_port(address, self._credentials)
        if self._health_port is not None:
            with _listening_on(self._health_port) as address:
                self._health_server.add_insecure_port(address)
            await self._health_server.start()
        await self._server.start()

    async def stop(self, *, grace_seconds: float) -> None:
        """Take no new calls, and return when those under way have ended; they are cancelled after `grace_seconds`.

        Health watches never end, and gRPC now and then waits for a call that came in as the shutdown began and never
        reached us: once our own calls have ended, and their answers had a moment to leave, all others are cancelled.
        """
        stopping = asyncio.create_task(self._server.stop(grace_seconds))
        idle = asyncio.create_task(self._wait_until_idle())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await asyncio.wait({stopping}, timeout=_FLUSH_SECONDS)
        await self._server.stop(None)
        await self._health_server.stop(None)
        await stopping


@contextlib.contextmanager
def _listening_on(place: Listen | Health) -> Iterator[str]:
    address = f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"
    try:
        yield address
    except RuntimeError as error:
        raise Misconfigured(f"cannot listen on {address}: in use, or no address of this host") from error


def most_watches(limits: Limits) -> int:
    """Return how many health watches there may be at once."""
    return min(_MOST_WATCHES, _WATCHES_PER_CALL * limits.max_concurrent_calls)


def server_options(limits: Limits) -> list[tuple[str, int]]:
    """Return gRPC's options; public, so that the bench compares with a server that has the same."""
    return [
        ("grpc.max_receive_message_length", limits.max_request_bytes),
        # Above the first a request is refused at random, above the second always: one limit is easier to reason about.
        ("grpc.max_metadata_size", limits.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_metadata_bytes),
        ("grpc.max_concurrent_streams", limits.max_concurrent_streams),
        ("grpc.max_connection_age_ms", _milliseconds(limits.max_connection_age_seconds)),
        ("grpc.max_connection_age_grace_ms", _milliseconds(limits.max_connection_age_grace_seconds)),
        ("grpc.max_connection_idle_ms", _milliseconds(limits.max_connection_idle_seconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(limits.min_ping_interval_seconds)),
        # Two fronts on one port would share connections at random, and the second one is a mistake.
        ("grpc.so_reuseport", 0),
    ]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)


_HEALTH_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _HEALTH_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", _HEALTH_STREAMS),
    ("grpc.so_reuseport", 0),
)
