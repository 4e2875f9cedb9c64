"""Requests that are no message: they come to the guard as any other, so that rates, metrics and log know of them.

Left to itself gRPC answers them before anything of ours runs: uncounted, with the names of our classes in the text and
a stack trace in the log for each.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError

from strongroom_service.domain.errors import InvalidField


class Unreadable:
    """Stands for a request whose bytes are no message."""

    async def refuse(self, _call: object) -> NoReturn:
        """Answer in place of the RPC's method.

        Raises:
            InvalidField: always.
        """
        raise InvalidField(field="request", rule="must be a serialized message of this RPC")


UNREADABLE: Final = Unreadable()


def leaving_unreadable(handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the same method of a service, which gets UNREADABLE where the bytes are no message."""
    read = handler.request_deserializer
    if handler.unary_unary is None or read is None:
        raise TypeError(handler)

    def read_or_leave(data: bytes) -> object:
        try:
            return read(data)
        except DecodeError:
            return UNREADABLE

    return grpc.unary_unary_rpc_method_handler(
        handler.unary_unary, request_deserializer=read_or_leave, response_serializer=handler.response_serializer
    )
