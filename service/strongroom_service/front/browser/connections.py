"""Connections of browsers: how many there may be, and how long one may take to say what it wants.

The library below gives a connection that has said half a request all the time in the world.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from strongroom_service.domain.load import is_fair
from strongroom_service.front.peers import peer_key, peer_text
from strongroom_service.telemetry.browser_metrics import BrowserMetrics, NotServed

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle
    from uvicorn.server import ServerState

HEAD_SECONDS: Final = 10.0
"""For what is neither an idle connection nor a request under way: a request's head, or the rest of a refused one."""


@dataclass(kw_only=True)
class Connections:
    """All of a listener's, and their limits.

    Attributes:
        most: how many there may be; nobody may hold more than three times what is free, as with slots.
        head_seconds: what a request's head may take.
        age_seconds, age_grace_seconds: after the first one ends with its next answer, after the second too at once.
    """

    most: int
    age_seconds: float
    age_grace_seconds: float
    head_seconds: float
    metrics: BrowserMetrics
    _by_peer: Counter[str] = field(default_factory=Counter)

    def take(self, peer: str) -> bool:
        """Count one more of `peer`, a `peer_key`, or return that there are too many."""
        in_use = self._by_peer.total()
        if not is_fair(self._by_peer[peer], in_use=in_use, slots=self.most):
            self.turn_away(NotServed.TOO_MANY_CONNECTIONS)
            return False
        self._by_peer[peer] += 1
        self.metrics.connections.inc()
        return True

    def give_back(self, peer: str) -> None:
        """Count one less; who has none is forgotten."""
        self.metrics.connections.dec()
        self._by_peer[peer] -= 1
        if not self._by_peer[peer]:
            del self._by_peer[peer]

    def turn_away(self, because: NotServed) -> None:
        """Count one that is not served."""
        self.metrics.turned_away[because].inc()


class BoundedProtocol(H11Protocol):
    """One connection, HTTP/1.1."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._peer: str | None = None
        self._has_spoken = False
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class
        """Take it, or close it at once."""
        super().connection_made(transport)
        host, port = self.client or ("", 0)
        peer = peer_key(peer_text(host, port))
        if not self._bounds.take(peer):
            transport.abort()
            return
        self._peer = peer
        self._set_timer("head", self._bounds.head_seconds, self._be_too_slow)
        self._set_timer("age", self._bounds.age_seconds, self.shutdown)
        self._set_timer("end", self._bounds.age_seconds + self._bounds.age_grace_seconds, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in self._timers.values():
            timer.cancel()
        if self._peer is not None:
            self._bounds.give_back(self._peer)
            self._peer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came: the time for a head runs until it is whole, however often a little more of it comes."""
        self._has_spoken = True
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Go on with what is next: an idle connection, the next request, or the rest of one that was refused."""
        super().on_response_complete()
        self._watch_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._bounds.turn_away(NotServed.MALFORMED)
        super().send_400_response(msg)

    def shutdown(self) -> None:
        """End with the answer under way, or at once; one that ends already is left to it."""
        if not self.transport.is_closing():
            super().shutdown()

    def _watch_head(self) -> None:
        # None before the first request, whatever the base class declares.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        serving = cycle is not None and not cycle.response_complete
        # The rest of a body, the beginning of a head, or nothing yet at all.
        owing = self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0]) or cycle is None
        if serving or not owing:
            timer = self._timers.pop("head", None)
            if timer is not None:
                timer.cancel()
        elif "head" not in self._timers:
            self._set_timer("head", self._bounds.head_seconds, self._be_too_slow)

    def _be_too_slow(self) -> None:
        if self._has_spoken:  # browsers open some in advance, and never use them
            self._bounds.turn_away(NotServed.TOO_SLOW)
        self.transport.abort()

    def _set_timer(self, name: str, seconds: float, act: Any) -> None:  # noqa: ANN401  a callback
        self._timers[name] = self.loop.call_later(seconds, act)
