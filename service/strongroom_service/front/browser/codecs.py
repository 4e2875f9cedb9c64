"""Reads and writes messages, binary and JSON.

What is no message comes to the methods as UNREADABLE, as over gRPC: counted, logged, and answered with a fixed text,
where the library would tell the caller a parser's words and nobody else anything. JSON is read strictly: a field of an
unknown name is a mistake, and one that a caller thought to have said something with.
"""

from __future__ import annotations

from typing import Final, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from strongroom_service.front.unreadable import UNREADABLE

MessageT = TypeVar("MessageT", bound=Message)

# The largest message has a few dozen. JSON is read piece by piece: a list of a hundred kilobytes of them would take as
# long as a hundred calls, and who sent it has not been asked for a token yet.
_MOST_PIECES: Final = 2_048


class BinaryCodec:
    """Implements connectrpc's `Codec` for protobuf's own form."""

    def name(self) -> str:
        """Return what content types call it."""
        return "proto"

    def encode(self, message: Message) -> bytes:
        """Return a message's bytes."""
        return message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[MessageT]) -> MessageT:
        """Return the message, or UNREADABLE in its place."""
        try:
            return message_class.FromString(bytes(data))
        except DecodeError:
            return cast("MessageT", UNREADABLE)


class JsonCodec:
    """Implements connectrpc's `Codec` for protobuf's mapping to JSON."""

    def name(self) -> str:
        """Return what content types call it."""
        return "json"

    def encode(self, message: Message) -> bytes:
        """Return a message as one line of JSON."""
        return json_format.MessageToJson(message, indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[MessageT]) -> MessageT:
        """Return the message, or UNREADABLE in its place."""
        if data.count(b'"') // 2 + data.count(b"{") + data.count(b"[") > _MOST_PIECES:
            return cast("MessageT", UNREADABLE)
        try:
            return json_format.Parse(bytes(data), message_class())
        # Parse errors; texts that are no UTF-8 or hold too long a number (ValueError); lists in lists in lists, or a
        # value of another kind where the parser looks for one of its own.
        except (json_format.ParseError, ValueError, RecursionError, TypeError, AttributeError):
            return cast("MessageT", UNREADABLE)
