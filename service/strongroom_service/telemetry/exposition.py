"""Serves /metrics and nothing else, on a port of its own. It has no authentication: keep it from the public network."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from strongroom_service.domain.errors import Misconfigured

PATH = "/metrics"
_IDLE_SECONDS = 5.0
_CLOSE_SECONDS = 0.1  # how often the server looks whether it is closed


class _Server(ThreadingHTTPServer):
    """Knows the registry that its handlers show."""

    daemon_threads = True  # a scraper that hangs does not keep the process from ending

    def __init__(self, *, family: socket.AddressFamily, address: tuple[str, int], registry: CollectorRegistry) -> None:
        self.address_family = family
        self.registry = registry
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell nobody of a scraper that hung up: the base class would write a stack trace for each to the log."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS  # a connection that says nothing does not hold its thread

    def do_GET(self) -> None:
        """Answer /metrics in the text format; 404 for all else."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = generate_latest(self.server.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Tell a stranger no version of Python."""
        return "strongroom"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Log no scrapes."""


class MetricsServer:
    """The metrics of one registry on one port, served by threads of its own until closed."""

    def __init__(self, *, registry: CollectorRegistry, host: str, port: int) -> None:
        """Listen at once. Port 0 takes a free one, told by `port`.

        Raises:
            Misconfigured: the address is not there, or in use.
        """
        try:
            # (family, type, protocol, canonical name, (address, port, ...)), the preferred first.
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            self._server = _Server(family=family, address=(str(address[0]), port), registry=registry)
        except OSError as error:
            message = f"metrics: cannot listen on {host} port {port}: {error.strerror}"
            raise Misconfigured(message) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_CLOSE_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening. Does not wait for scrapes under way."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
