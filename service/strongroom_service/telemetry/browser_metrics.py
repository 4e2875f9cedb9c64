"""What a front counts of requests by browsers that never become an RPC. Those that do are among `grpc_server_*`."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@unique
class NotServed(Enum):
    """Why a request or a connection was turned away."""

    ORIGIN = "origin"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"


class BrowserMetrics:
    """Every child is there from the start, as in `Metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        turned_away = Counter(
            "strongroom_browser_turned_away_total",
            "Requests and connections of the listener for browsers that were turned away before they were an RPC.",
            ["reason"],
            registry=registry,
        )
        self.turned_away = {reason: turned_away.labels(reason.value) for reason in NotServed}
        self.connections = Gauge(
            "strongroom_browser_connections", "Connections of the listener for browsers.", registry=registry
        )
