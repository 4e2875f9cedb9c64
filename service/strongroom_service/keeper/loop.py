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

from strongroom.keeper.v1.frames_pb2 import FaultReply, KeeperCall, KeeperReply
from strongroom_service.domain.errors import StrongroomError
from strongroom_service.keeper.stop_signals import StopSignals
from strongroom_service.keeper.wire import Connection, ConnectionEnded
from strongroom_service.link.frames import FrameError, encode_frame

_IDLE_SECONDS: Final = 0.25
# Without a descriptor left there is nobody to accept, and whoever waits keeps the listener ready all the same.
_UNABLE_SECONDS: Final = 0.5
_MOST_CONNECTIONS: Final = 16
_LAST_FLUSH_SECONDS: Final = 1.0


class Handler(Protocol):
    """What answers the calls of one keeper process; its connections share it."""

    def handle(self, call: KeeperCall) -> KeeperReply:
        """Return the answer; its call id is set by the loop.

        The first call of each connection that gets here opens the vault. What is raised becomes a fault reply that
        holds the exception's type name only.
        """

    @property
    def spent(self) -> bool:
        """Whether this process must be replaced, as when its token session is lost: looked at after each call."""


class Log(Protocol):
    """Structured lines."""

    def info(self, event: str, **fields: object) -> object:
        """Write a line about the normal run of things."""

    def error(self, event: str, **fields: object) -> object:
        """Write a line that an operator should see."""


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
        beat: Callable[[], None],
        log: Log,
        most_blocked_seconds: float = 5.0,
    ) -> None:
        """Make a loop that accepts from `listener`.

        `admit` raises StrongroomError for a peer that may not connect. `beat` is called before and after each call, and
        at least every 250 ms in between. A peer that takes no byte of its reply for `most_blocked_seconds` is dropped.
        """
        self._listener = listener
        self._admit = admit
        self._handler = handler
        self._beat = beat
        self._log = log
        self._most_blocked_seconds = most_blocked_seconds
        self._selector = selectors.DefaultSelector()
        self._stop = StopSignals()
        self._connections: set[Connection] = set()
        self._blocked: set[Connection] = set()
        self._accepts_again_at: float | None = None

    def run(self) -> Ending:
        """Answer until asked to stop (the call in hand is finished) or until the handler is spent."""
        with self._selector as selector, self._stop as stop:
            selector.register(self._listener, selectors.EVENT_READ, self._accept)
            selector.register(stop, selectors.EVENT_READ, lambda: None)
            while not self._ending():
                self._beat()
                for key, _ in selector.select(_IDLE_SECONDS):
                    key.data()
                self._drop_blocked()
                self._accept_again()
            for connection in self._connections:
                connection.finish(within_seconds=_LAST_FLUSH_SECONDS)
            self._listener.close()
        return Ending.ASKED if stop.asked else Ending.SPENT

    def _ending(self) -> bool:
        return self._stop.asked or self._handler.spent

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:  # gone again, or no descriptor left: tried anew after a while, not at every turn
            self._log.error("keeper_accept_failed", why=error.strerror)
            self._selector.unregister(self._listener)
            self._accepts_again_at = time.monotonic() + _UNABLE_SECONDS
            return
        try:
            self._admit(peer)
        except StrongroomError as refused:
            self._log.error("keeper_peer_refused", why=str(refused))
            peer.close()
            return
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._log.error("keeper_peer_refused", why="too many connections")
            peer.close()
            return
        connection = Connection(peer)
        self._connections.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._turn, connection))

    def _accept_again(self) -> None:
        if self._accepts_again_at is not None and time.monotonic() >= self._accepts_again_at:
            self._accepts_again_at = None
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _turn(self, connection: Connection) -> None:
        """Take one step with a connection that is ready: read or write, then answer what has been read."""
        was_blocked = connection.blocked
        try:
            if was_blocked:
                connection.flush()
            else:
                connection.receive()
            while connection.calls and not connection.blocked and not self._ending():
                connection.send(self._answer(connection, connection.calls.popleft()))
        except ConnectionEnded as ended:
            self._drop(connection, why=str(ended))
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
        self._connections.discard(connection)
        self._blocked.discard(connection)
        connection.close()

    def _answer(self, connection: Connection, call: KeeperCall) -> bytes:
        if connection.opened or call.WhichOneof("call") == "open_vault":
            reply = self._handle(call)
            connection.opened = connection.opened or reply.HasField("open_vault")
        else:
            reply = _fault("the vault is not open on this connection")
        reply.call_id = call.call_id
        try:
            return encode_frame(reply.SerializeToString())
        except FrameError as error:
            reply = _fault(type(error).__name__)
            reply.call_id = call.call_id
            return encode_frame(reply.SerializeToString())

    def _handle(self, call: KeeperCall) -> KeeperReply:
        self._beat()
        try:
            return self._handler.handle(call)
        except Exception as error:  # noqa: BLE001  one call's bug must not end the others; its text may hold secrets
            kind = type(error).__name__
            self._log.error("keeper_call_failed", call=call.WhichOneof("call"), error=kind, at=_place_of(error))
            return _fault(kind)
        finally:
            self._beat()


def _fault(detail: str) -> KeeperReply:
    return KeeperReply(fault=FaultReply(kind="INTERNAL", detail=detail))


def _place_of(error: Exception) -> str:
    """Where `error` was raised, as module:line; no values, unlike a traceback with its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
