from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.telemetry.exposition import MetricsServer
from strongroom_service.telemetry.metrics import Metrics
from tests.fakes.stepped_vault import until


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", rpc_methods=())


@pytest.fixture
def server(metrics: Metrics) -> Iterator[MetricsServer]:
    server = MetricsServer(registry=metrics.registry, host="127.0.0.1", port=0)
    yield server
    server.close()


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers={"Accept": "application/openmetrics-text"})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def test_metrics_are_served_in_the_text_format(server: MetricsServer, metrics: Metrics) -> None:
    metrics.single_user.set(1)

    status, headers, content = ask(server, "/metrics")

    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nstrongroom_single_user 1.0\n" in content
    assert re.search(r"_created[ {]", content) is None
    assert "python" not in headers["Server"].lower()


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics/x", "/favicon.ico", "/x/metrics", "/debug"])
def test_nothing_else_is_served(server: MetricsServer, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_nothing_but_get_is_served(server: MetricsServer, method: str) -> None:
    assert ask(server, "/metrics", method)[0] == 501


def test_connection_that_says_nothing_does_not_stop_others(server: MetricsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert ask(server, "/metrics")[0] == 200


def test_closed_server_frees_its_port(metrics: Metrics) -> None:
    first = MetricsServer(registry=metrics.registry, host="127.0.0.1", port=0)
    port = first.port
    first.close()

    second = MetricsServer(registry=metrics.registry, host="127.0.0.1", port=port)
    assert ask(second, "/metrics")[0] == 200
    second.close()


def test_port_in_use_is_a_fault_of_configuration(server: MetricsServer, metrics: Metrics) -> None:
    with pytest.raises(Misconfigured, match=f"127.0.0.1 port {server.port}"):
        MetricsServer(registry=metrics.registry, host="127.0.0.1", port=server.port)


def test_host_that_is_not_there_is_a_fault_of_configuration(metrics: Metrics) -> None:
    with pytest.raises(Misconfigured, match=r"metrics: cannot listen on 192\.0\.2\.1"):
        MetricsServer(registry=metrics.registry, host="192.0.2.1", port=0)


def test_connection_that_breaks_off_writes_nothing(server: MetricsServer, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            # Nothing lingers: the server's answer meets a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 200)
    assert ask(server, "/metrics")[0] == 200
    until(lambda: not any("process_request" in thread.name for thread in threading.enumerate()), "all are answered")
    assert capfd.readouterr().err == ""
