"""An operator's command on its connection to a keeper: one call after the other."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from strongroom.keeper.v1 import operator_pb2
from strongroom_service.domain.errors import (
    ClockUntrusted,
    Fault,
    KeeperUnavailable,
    Misconfigured,
    RecordRejected,
    TokenFault,
)
from strongroom_service.link.frames import FrameError, FrameReader, encode_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_READ_BYTES: Final = 64 * 1024
# A keeper may have front's calls in hand before ours, and sixteen rows are opened by one call.
_CALL_SECONDS: Final = 10.0
_FAULTS: Final = {fault.__name__: fault for fault in (RecordRejected, TokenFault, ClockUntrusted, Misconfigured)}


class OperatorConnection:
    """Asks, and waits for the answer. After a KeeperUnavailable it is of no more use."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._call_ids = count(1)

    async def ask(self, call: operator_pb2.OperatorCall, *, reply: str) -> operator_pb2.OperatorReply:
        """Return the keeper's answer, which must be of the kind `reply`.

        Raises:
            RecordRejected, TokenFault, ClockUntrusted, Misconfigured: as the keeper says.
            KeeperUnavailable: no answer in time, or the connection broke.
            Fault: another kind of answer, or a call too large for a frame.
        """
        call.call_id = next(self._call_ids)
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                self._writer.write(encode_frame(call.SerializeToString()))
                await self._writer.drain()
                answer = await self._receive()
        except (OSError, TimeoutError, DecodeError) as error:
            raise KeeperUnavailable(f"no answer from the keeper: {type(error).__name__}") from error
        except FrameError as error:
            raise Fault(f"operators' call to the keeper: {error}") from error
        if answer.call_id != call.call_id:
            raise KeeperUnavailable("the keeper answered another call")
        kind = answer.WhichOneof("reply")
        if kind == "fault":
            raise _FAULTS.get(answer.fault.kind, Fault)(f"keeper: {answer.fault.kind}: {answer.fault.detail}")
        if kind == "stale":
            raise RecordRejected(f"the keeper has the vault's row at version {answer.stale.newest_version} already")
        if kind != reply:
            raise Fault(f"keeper answered {kind} where {reply} was asked for")
        return answer

    def close(self) -> None:
        """End the connection."""
        self._writer.close()

    async def _receive(self) -> operator_pb2.OperatorReply:
        while True:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise KeeperUnavailable("the keeper closed the connection: its log says why")
            for payload in self._frames.feed(data):
                return operator_pb2.OperatorReply.FromString(payload)


async def connect_operator(paths: Sequence[Path]) -> OperatorConnection:
    """Connect to the first of the keepers at `paths` that takes the connection.

    Raises:
        KeeperUnavailable: none does; the service must be running, and its keepers admit root and their own user.
    """
    why = "there are no keepers"
    for path in paths:
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return OperatorConnection(*await asyncio.open_unix_connection(str(path)))
        except (OSError, TimeoutError) as error:
            why = f"{path}: {type(error).__name__}"
    raise KeeperUnavailable(f"no keeper takes operators' commands, is the service running? {why}")
