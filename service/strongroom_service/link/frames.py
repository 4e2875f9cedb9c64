"""Frames between front and keeper: u32 big-endian length of what follows, one version byte, one protobuf message.

Both ends read the other's bytes as hostile: a frame that breaks a rule ends the connection, and nothing but protobuf is
ever decoded (no pickle: a hostile front must not run code in the keeper).
"""

from __future__ import annotations

import struct
from typing import Final

from strongroom_service.domain.errors import StrongroomError

FRAME_VERSION: Final = 1
MAX_FRAME_BYTES: Final = 512 * 1024
"""Largest announced length, so with the version byte and without the length itself."""

_HEADER: Final = struct.Struct(">IB")
_LENGTH: Final = struct.Struct(">I")


class FrameError(StrongroomError):
    """Bytes that are no frame of ours, or a message too large for one. The connection they came by is closed."""


def encode_frame(payload: bytes) -> bytes:
    """Return `payload` as one frame.

    Raises:
        FrameError: it does not fit.
    """
    length = len(payload) + 1
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"message of {len(payload)} bytes does not fit a frame")
    return _HEADER.pack(length, FRAME_VERSION) + payload


class FrameReader:
    """Cuts a stream of bytes, in pieces of any size, into payloads. Holds at most one frame beyond the last piece.

    After a FrameError neither the reader nor the stream is of any use.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that `data` completes, in order.

        Raises:
            FrameError: unknown version or impossible length, as soon as it can be seen; what came with it is lost.
        """
        if not self._buffer:
            end = _end_of_frame(data, 0)
            if end == len(data):  # one piece, one frame: what nearly every read is
                return [data[_HEADER.size :]]
        buffer = self._buffer
        buffer += data
        payloads = []
        start = 0
        while (end := _end_of_frame(buffer, start)) is not None and end <= len(buffer):
            payloads.append(bytes(buffer[start + _HEADER.size : end]))
            start = end
        del buffer[:start]
        return payloads


def _end_of_frame(buffer: bytes | bytearray, start: int) -> int | None:
    """Where the frame at `start` ends, maybe beyond the buffer; None while its header is not complete."""
    held = len(buffer) - start
    if held < _LENGTH.size:
        return None
    length: int = _LENGTH.unpack_from(buffer, start)[0]
    if not 1 <= length <= MAX_FRAME_BYTES:
        raise FrameError(f"length {length} announced")
    if held < _HEADER.size:
        return None
    version = buffer[start + _LENGTH.size]
    if version != FRAME_VERSION:
        raise FrameError(f"frame version {version}")
    return start + _LENGTH.size + length
