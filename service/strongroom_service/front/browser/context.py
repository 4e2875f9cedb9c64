"""A Connect or gRPC-Web call as the guard sees any call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.rpc import status_pb2
from protobuf.wkt import Any as Detail

from strongroom_service.front.peers import peer_text
from strongroom_service.front.status import DETAILS_KEY

if TYPE_CHECKING:
    from connectrpc.request import RequestContext

    from strongroom_service.front.calls import Metadata

CODES: Final[Mapping[grpc.StatusCode, Code]] = {
    code: Code.CANCELED if code is grpc.StatusCode.CANCELLED else Code[code.name]
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}
"""Connect has gRPC's codes under the same names, but for the spelling of one."""


class ConnectContext:
    """Implements `CallContext`."""

    def __init__(self, context: RequestContext[Any, Any]) -> None:
        self._context = context

    def invocation_metadata(self) -> Metadata:
        """Return the request's headers."""
        return self._context.request_headers.allitems()

    def peer(self) -> str:
        """Return who holds the other end of the connection: no header says otherwise."""
        host, _, port = (self._context.client_address or "").rpartition(":")
        return peer_text(host, port)

    def time_remaining(self) -> float | None:
        """Return what is left of Connect-Timeout-Ms or Grpc-Timeout."""
        left = self._context.timeout_ms
        return None if left is None else left / 1_000

    def set_trailing_metadata(self, trailing_metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Send them as headers, where a page reads them alike in every protocol."""
        for name, value in trailing_metadata:
            if isinstance(value, str):
                self._context.response_headers[name] = value

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: Sequence[tuple[str, str | bytes]]
    ) -> NoReturn:
        """End the call with what gRPC's callers get, rich details included.

        Raises:
            ConnectError: always.
        """
        self.set_trailing_metadata([(name, value) for name, value in trailing_metadata if name != DETAILS_KEY])
        status = status_pb2.Status()
        for name, value in trailing_metadata:
            if name == DETAILS_KEY and isinstance(value, bytes):
                status.MergeFromString(value)
        packed = [Detail(type_url=detail.type_url, value=detail.value) for detail in status.details]
        raise ConnectError(CODES[code], details, packed)
