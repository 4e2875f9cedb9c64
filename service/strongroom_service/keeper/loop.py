"""The keeper's loop: one thread, one call at a time, several connections.

Nothing that arrives ends the loop: a broken frame ends its connection, an exception in the handler becomes a fault
reply. Only SIGTERM or SIGINT, or a handler that says it is spent, do.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from enum import Enum, unique
from functools import partial
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply
from strongroom_service.domain.errors import StrongroomError
from strongroom_service.keeper.stop_signals import StopSignals
from strongroom_service.keeper.visits import Door, Log, front_visit
from strongroom_service.keeper.wire import Connection, ConnectionEnded

_IDLE_SECONDS: Final = 0.25
# Without a descriptor left there is nobody to accept, and whoever waits keeps the listener ready all the same.
_UNABLE_SECONDS: Final = 0.5
_MOST_CONNECTIONS: Final = 16
_LAST_FLUSH_SECONDS: Final = 1.0


class Handler(Protocol):
    """What answers the calls of the front to one keeper process; its connections share it."""

    def handle(self, call: KeeperCall) -> KeeperReply:
        """Return the answer; its call id is set by the visit."""

    @property
    def spent(self) -> bool:
        """Whether this process must be replaced, as when its token session is lost: looked at after each call."""


@unique
class Ending(Enum):
    """Why the loop ended; in both cases what was answered has been written."""

    ASKED = "asked"
    SPENT = "spent"


class KeeperLoop:
    """Reads calls, hands each to the handler, writes the answers."""

    def __init__(
        self,
        *,
        listener: socket.socket,
        admit: Callable[[socket.socket], None],
        handler: Handler,
        reload: Callable[[], None],
        beat: Callable[[], None],
        log: Log,
        operators: Door | None = None,
        most_blocked_seconds: float = 5.0,
    ) -> None:
        """Make a loop that accepts fronts from `listener`, and operators' commands by their own door.

        `admit` raises StrongroomError for a peer that may not connect. `reload` is called at SIGHUP, between calls.
        `beat` is called before and after each call, and at least every 250 ms in between. A peer that takes no byte of
        its reply for `most_blocked_seconds` is dropped.
        """
        front = Door(listener=listener, admit=admit, welcome=lambda: front_visit(handler.handle, beat=beat, log=log))
        self._doors = (front,) if operators is None else (front, operators)
        self._handler = handler
        self._reload = reload
        self._beat = beat
        self._log = log
        self._most_blocked_seconds = most_blocked_seconds
        self._selector = selectors.DefaultSelector()
        self._stop = StopSignals()
        self._connections: dict[Connection, Door] = {}
        self._blocked: set[Connection] = set()
        self._accepts_again_at: dict[Door, float] = {}

    def run(self) -> Ending:
        """Answer until asked to stop (the call in hand is finished) or until the handler is spent."""
        with self._selector as selector, self._stop as stop:
            for door in self._doors:
                selector.register(door.listener, selectors.EVENT_READ, partial(self._accept, door))
            selector.register(stop, selectors.EVENT_READ, stop.awake)
            while not self._ending():
                self._beat()
                if stop.take_reload():
                    self._reload()
                for key, _ in selector.select(_IDLE_SECONDS):
                    key.data()
                self._drop_blocked()
                self._accept_again()
            for connection in self._connections:
                connection.finish(within_seconds=_LAST_FLUSH_SECONDS)
            for door in self._doors:
                door.listener.close()
        return Ending.ASKED if stop.asked else Ending.SPENT

    def _ending(self) -> bool:
        return self._stop.asked or self._handler.spent

    def _accept(self, door: Door) -> None:
        try:
            peer, _ = door.listener.accept()
        except OSError as error:  # gone again, or no descriptor left: tried anew after a while, not at every turn
            self._log.error("keeper_accept_failed", why=error.strerror)
            self._selector.unregister(door.listener)
            self._accepts_again_at[door] = time.monotonic() + _UNABLE_SECONDS
            return
        try:
            door.admit(peer)
        except StrongroomError as refused:
            self._log.error("keeper_peer_refused", why=str(refused))
            peer.close()
            return
        # Each door for itself: a front that uses up its own does not shut operators out.
        if list(self._connections.values()).count(door) >= _MOST_CONNECTIONS:
            self._log.error("keeper_peer_refused", why="too many connections")
            peer.close()
            return
        connection = Connection(peer, door.welcome())
        self._connections[connection] = door
        self._selector.register(connection, selectors.EVENT_READ, partial(self._turn, connection))

    def _accept_again(self) -> None:
        for door, at in tuple(self._accepts_again_at.items()):
            if time.monotonic() >= at:
                del self._accepts_again_at[door]
                self._selector.register(door.listener, selectors.EVENT_READ, partial(self._accept, door))

    def _turn(self, connection: Connection) -> None:
        """Take one step with a connection that is ready: read or write, then answer what has been read."""
        was_blocked = connection.blocked
        try:
            if was_blocked:
                connection.flush()
            else:
                connection.receive()
            while connection.calls and not connection.blocked and not self._ending():
                connection.send(connection.visit.answer(connection.calls.popleft()))
        except (ConnectionEnded, DecodeError) as ended:
            self._drop(connection, why=str(ended) if isinstance(ended, ConnectionEnded) else f"no message: {ended}")
            return
        if connection.blocked != was_blocked:
            self._wait_for(connection, selectors.EVENT_WRITE if connection.blocked else selectors.EVENT_READ)

    def _wait_for(self, connection: Connection, event: int) -> None:
        self._selector.modify(connection, event, partial(self._turn, connection))
        if connection.blocked:
            self._blocked.add(connection)
        else:
            self._blocked.discard(connection)

    def _drop_blocked(self) -> None:
        for connection in tuple(self._blocked):
            if connection.blocked_seconds() > self._most_blocked_seconds:
                self._drop(connection, why="the peer does not read")

    def _drop(self, connection: Connection, *, why: str) -> None:
        self._log.info("keeper_connection_ended", why=why)
        self._selector.unregister(connection)
        del self._connections[connection]
        self._blocked.discard(connection)
        connection.close()
