"""One connection to a keeper: calls sent as they come, answers matched by call id, one deadline for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, cast

from google.protobuf.message import DecodeError

from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply
from strongroom_service.domain.errors import Fault, KeeperUnavailable
from strongroom_service.link.frames import FrameError, FrameReader, encode_frame

if TYPE_CHECKING:
    from pathlib import Path


class KeeperConnection(asyncio.Protocol):
    """Calls under way on one socket.

    A deadline that passes, a broken frame or an unasked answer ends the connection: what comes after it on the same
    socket could belong to anything, and a keeper that does not answer is replaced anyway.

    Attributes:
        closed: done once the connection has ended and every call on it has failed.
    """

    def __init__(self, *, call_timeout_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = call_timeout_seconds
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None
        self._call_ids = count(1)
        self._pending: dict[int, tuple[asyncio.Future[KeeperReply], float]] = {}  # oldest first
        self._watch: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[str] = self._loop.create_future()

    @property
    def outstanding(self) -> int:
        """Number of calls not yet answered, those included that nobody waits for any more."""
        return len(self._pending)

    def send(self, call: KeeperCall) -> asyncio.Future[KeeperReply]:
        """Send `call` under a fresh call id and return its answer to come.

        Raises (the future): KeeperUnavailable: no answer in time, or the connection broke.

        Raises:
            KeeperUnavailable: the connection has ended; nothing was sent.
            Fault: the call is too large for a frame; nothing was sent.
        """
        if self._transport is None or self.closed.done():
            raise KeeperUnavailable("connection to the keeper has ended")
        call.call_id = next(self._call_ids)
        try:
            frame = encode_frame(call.SerializeToString())
        except FrameError as error:
            raise Fault(f"call to the keeper: {error}") from error
        answer: asyncio.Future[KeeperReply] = self._loop.create_future()
        deadline = self._loop.time() + self._timeout
        self._pending[call.call_id] = (answer, deadline)
        if self._watch is None:
            self._watch = self._loop.call_at(deadline, self._look_at_oldest)
        self._transport.write(frame)
        return answer

    def end(self, why: str) -> None:
        """Close the socket and fail every call on it with KeeperUnavailable(`why`)."""
        if self.closed.done():
            return
        self.closed.set_result(why)
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        pending, self._pending = self._pending, {}
        for answer, _ in pending.values():
            if not answer.done():
                answer.set_exception(KeeperUnavailable(why))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)  # by promise only: uvloop's are no such class

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            self._settle(map(KeeperReply.FromString, self._reader.feed(data)))
        except (FrameError, DecodeError) as error:
            self.end(f"keeper sent a broken frame: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.end("keeper closed the connection" if exc is None else f"connection to the keeper broke: {exc}")

    def _settle(self, replies: Iterable[KeeperReply]) -> None:
        for reply in replies:
            answer, _ = self._pending.pop(reply.call_id, (None, None))
            if answer is None:
                self.end(f"keeper answered call {reply.call_id}, which is not under way")
                return
            if not answer.done():  # done: the caller hung up
                answer.set_result(reply)

    def _look_at_oldest(self) -> None:
        # One timer per connection, not per call: calls have the same timeout, so the oldest is due first.
        self._watch = None
        if not self._pending:
            return
        _, deadline = next(iter(self._pending.values()))
        if deadline <= self._loop.time():
            self.end(f"no answer from the keeper within {self._timeout} s")
        else:
            self._watch = self._loop.call_at(deadline, self._look_at_oldest)


async def connect(path: Path, *, timeout_seconds: float) -> KeeperConnection:
    """Connect to the keeper that listens at `path`; its calls must be answered within `timeout_seconds`.

    Raises:
        KeeperUnavailable: nobody listens there.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_seconds):
            _, connection = await loop.create_unix_connection(
                lambda: KeeperConnection(call_timeout_seconds=timeout_seconds), str(path)
            )
    except (OSError, TimeoutError) as error:
        raise KeeperUnavailable(f"cannot connect to the keeper at {path}: {type(error).__name__}") from error
    return connection
