"""The server for browsers: uvicorn's HTTP/1.1 on the front's loop, without its signals, logs and trust in proxies."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.browser.connections import HEAD_SECONDS, BoundedProtocol, Connections
from strongroom_service.front.browser.cors import Cors
from strongroom_service.front.browser.gate import Gate
from strongroom_service.front.browser.service import PATHS, connect_application

if TYPE_CHECKING:
    import ssl

    from strongroom_service.config.browser import Browser
    from strongroom_service.config.vault_file import Limits
    from strongroom_service.front.guard import Log
    from strongroom_service.front.servicer import VaultServicer
    from strongroom_service.telemetry.browser_metrics import BrowserMetrics

# A browser opens a few for one page. What is above is closed; who calls how often is the guard's affair.
_CONNECTIONS_PER_CALL: Final = 4
_HANDSHAKE_SECONDS: Final = 10.0
_BACKLOG: Final = 512
_EVERYWHERE: Final = "::"
_CANCEL_SECONDS: Final = 1.0


class BrowserServer:
    """Serves VaultService over Connect and gRPC-Web."""

    def __init__(
        self,
        *,
        servicer: VaultServicer,
        browser: Browser,
        limits: Limits,
        context: ssl.SSLContext | None,
        allow_page: Callable[[str], bool],
        is_ready: Callable[[], bool],
        metrics: BrowserMetrics,
        log: Log,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        """Nothing listens yet. Without `context` there is no TLS. `allow_page` is asked for each request's origin."""
        self._browser = browser
        self._context = context
        gate = Gate(
            connect_application(servicer, max_request_bytes=limits.max_request_bytes),
            paths=PATHS,
            cors=Cors(allow_page),
            head_bytes=limits.max_metadata_bytes,
            body_seconds=limits.max_deadline_seconds,
            is_ready=is_ready,
            metrics=metrics,
            log=log,
        )
        bounds = Connections(
            most=_CONNECTIONS_PER_CALL * limits.max_concurrent_calls,
            age_seconds=limits.max_connection_age_seconds,
            age_grace_seconds=limits.max_connection_age_grace_seconds,
            head_seconds=head_seconds,
            metrics=metrics,
        )
        config = Config(
            gate,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # Its lines are one for each stranger who does not speak HTTP; the metrics count them.
            log_level=logging.CRITICAL,
            access_log=False,
            # No header says who calls: the peer is who holds the connection, as over gRPC.
            proxy_headers=False,
            timeout_keep_alive=max(1, round(limits.max_connection_idle_seconds)),
            h11_max_incomplete_event_size=limits.max_metadata_bytes,
        )
        config.load()
        self._state = ServerState()
        self._make_protocol = functools.partial(BoundedProtocol, config, self._state, {}, bounds=bounds)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            Misconfigured: the address is not there, or in use.
        """
        timeout = _HANDSHAKE_SECONDS if self._context else None
        self._server = await asyncio.get_running_loop().create_server(
            self._make_protocol,
            sock=_listening_socket(self._browser.host, self._browser.port),
            ssl=self._context,
            ssl_handshake_timeout=timeout,
            backlog=_BACKLOG,
        )

    async def stop(self, *, grace_seconds: float) -> None:
        """Take no new calls, and return when those under way have ended; they are cancelled after `grace_seconds`."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()  # at once if it is idle, else with its answer
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=grace_seconds)
        for task in set(self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=_CANCEL_SECONDS)
        for connection in list(self._state.connections):
            connection.transport.abort()


def _listening_socket(host: str, port: int) -> socket.socket:
    try:
        # (family, type, protocol, canonical name, (address, port, ...)), the preferred first.
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # asyncio's own would have IPv6 alone at ::, where gRPC's listener has both.
        both = family is socket.AF_INET6 and address[0] == _EVERYWHERE
        return socket.create_server((str(address[0]), port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        message = f"browser: cannot listen on {host} port {port}: {error.strerror}"
        raise Misconfigured(message) from error
