"""What comes in by one door of the keeper: who may, and how a frame of theirs is answered.

Two kinds of peers, each with a socket and messages of its own: the front, and operators' commands. The messages have no
field number in common but the call id, so that a call that comes by the wrong door is none.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from strongroom.keeper.v1.frames_pb2 import FaultReply, KeeperCall, KeeperReply
from strongroom.keeper.v1.operator_pb2 import OperatorCall, OperatorReply
from strongroom_service.link.frames import FrameError, encode_frame

CallT = TypeVar("CallT", KeeperCall, OperatorCall)
ReplyT = TypeVar("ReplyT", KeeperReply, OperatorReply)


class Log(Protocol):
    """Structured lines."""

    def info(self, event: str, **fields: object) -> object:
        """Write a line about the normal run of things."""

    def error(self, event: str, **fields: object) -> object:
        """Write a line that an operator should see."""


class Visit(Protocol):
    """One connection's conversation."""

    def answer(self, payload: bytes) -> bytes:
        """Return the frame that answers a frame's payload.

        Raises:
            DecodeError: it is no message.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A socket that listens, who may come in by it, and what such a peer may ask.

    Attributes:
        admit: raises StrongroomError for a peer that may not connect.
        welcome: makes the conversation of a new connection.
    """

    listener: socket.socket
    admit: Callable[[socket.socket], None]
    welcome: Callable[[], Visit]


class MessageVisit(Generic[CallT, ReplyT]):
    """Calls of one type, handed on; of each connection only once it has opened the vault.

    What is raised becomes a fault reply that holds the exception's type name only.
    """

    def __init__(
        self,
        *,
        read: Callable[[bytes], CallT],
        fault: Callable[[FaultReply], ReplyT],
        opened_by: Callable[[ReplyT], bool],
        handle: Callable[[CallT], ReplyT],
        beat: Callable[[], None],
        log: Log,
    ) -> None:
        """Args as the names say; `beat` is called before and after each call."""
        self._read: Callable[[bytes], CallT] = read
        self._fault: Callable[[FaultReply], ReplyT] = fault
        self._opened_by: Callable[[ReplyT], bool] = opened_by
        self._hand_on: Callable[[CallT], ReplyT] = handle
        self._beat = beat
        self._log = log
        self._opened = False

    def answer(self, payload: bytes) -> bytes:
        """See `Visit`."""
        call = self._read(payload)
        if self._opened or call.WhichOneof("call") == "open_vault":
            reply = self._handle(call)
            self._opened = self._opened or self._opened_by(reply)
        else:
            reply = self._make_fault("the vault is not open on this connection")
        reply.call_id = call.call_id
        try:
            return encode_frame(reply.SerializeToString())
        except FrameError as error:
            reply = self._make_fault(type(error).__name__)
            reply.call_id = call.call_id
            return encode_frame(reply.SerializeToString())

    def _handle(self, call: CallT) -> ReplyT:
        self._beat()
        try:
            return self._hand_on(call)
        except Exception as error:  # noqa: BLE001  one call's bug must not end the others; its text may hold secrets
            kind = type(error).__name__
            self._log.error("keeper_call_failed", call=call.WhichOneof("call"), error=kind, at=_place_of(error))
            return self._make_fault(kind)
        finally:
            self._beat()

    def _make_fault(self, detail: str) -> ReplyT:
        return self._fault(FaultReply(kind="INTERNAL", detail=detail))


def front_visit(
    handle: Callable[[KeeperCall], KeeperReply], *, beat: Callable[[], None], log: Log
) -> MessageVisit[KeeperCall, KeeperReply]:
    """Return the conversation with a front; what answers is shared by all its connections."""
    return MessageVisit(
        read=KeeperCall.FromString,
        fault=lambda fault: KeeperReply(fault=fault),
        opened_by=lambda reply: reply.HasField("open_vault"),
        handle=handle,
        beat=beat,
        log=log,
    )


def operator_visit(
    handle: Callable[[OperatorCall], OperatorReply], *, beat: Callable[[], None], log: Log
) -> MessageVisit[OperatorCall, OperatorReply]:
    """Return the conversation with an operator's command; what answers is for it alone."""
    return MessageVisit(
        read=OperatorCall.FromString,
        fault=lambda fault: OperatorReply(fault=fault),
        opened_by=lambda reply: reply.HasField("vault_standing"),
        handle=handle,
        beat=beat,
        log=log,
    )


def _place_of(error: Exception) -> str:
    """Where `error` was raised, as module:line; no values, unlike a traceback with its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
