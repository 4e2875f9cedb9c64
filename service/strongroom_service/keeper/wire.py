"""One connection as the keeper sees it: non-blocking, and never holding more than a frame or two of memory."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import StrongroomError
from strongroom_service.link.frames import FrameError, FrameReader

if TYPE_CHECKING:
    import socket

    from strongroom_service.keeper.visits import Visit

_READ_BYTES: Final = 64 * 1024


class ConnectionEnded(StrongroomError):
    """The peer closed the connection, or broke its rules so that we do."""


class Connection:
    """Calls in, frames out.

    While a reply cannot be written the connection is `blocked`: it is neither read nor are its calls answered, so that
    a peer that does not read costs one reply and what one read brought.

    Attributes:
        calls: payloads read and not yet answered, oldest first.
        visit: what answers them.
    """

    def __init__(self, peer: socket.socket, visit: Visit) -> None:
        peer.settimeout(0)
        self._socket = peer
        self._reader = FrameReader()
        self._output = b""
        self._blocked_at = 0.0
        self.calls: deque[bytes] = deque()
        self.visit = visit

    def fileno(self) -> int:
        """For the selector."""
        return self._socket.fileno()

    @property
    def blocked(self) -> bool:
        """Whether a reply waits for the peer to read."""
        return bool(self._output)

    def blocked_seconds(self) -> float:
        """Return for how long the peer has taken no byte of the reply that waits; 0 if none does."""
        return time.monotonic() - self._blocked_at if self._output else 0.0

    def receive(self) -> None:
        """Read once, and add the calls that this completes.

        Raises:
            ConnectionEnded: the peer is gone, or what it sent is no frame.
        """
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise ConnectionEnded(f"read failed: {error.strerror}") from error
        if not data:
            raise ConnectionEnded("closed by the peer")
        try:
            self.calls.extend(self._reader.feed(data))
        except FrameError as error:
            raise ConnectionEnded(f"broken frame: {error}") from error

    def send(self, frame: bytes) -> None:
        """Write `frame`, or what of it the peer takes now. Not while blocked.

        Raises:
            ConnectionEnded: the peer is gone.
        """
        self._output = frame
        self._blocked_at = time.monotonic()
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as the peer takes it.

        Raises:
            ConnectionEnded: the peer is gone.
        """
        try:
            written = self._socket.send(self._output)
        except BlockingIOError:
            return
        except OSError as error:
            raise ConnectionEnded(f"write failed: {error.strerror}") from error
        self._output = self._output[written:]
        self._blocked_at = time.monotonic()

    def finish(self, *, within_seconds: float) -> None:
        """Write what waits before the end, however long the peer takes up to `within_seconds`, and close."""
        try:
            if self._output:
                self._socket.settimeout(within_seconds)
                self._socket.sendall(self._output)
        except OSError:
            pass  # the peer did not want it
        finally:
            self.close()

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close()
