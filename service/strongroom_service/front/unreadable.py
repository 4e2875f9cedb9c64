"""Requests that are no message: they come to the methods as any other, so that rates, metrics and log know of them.

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
    read, write = handler.request_deserializer, handler.response_serializer
    if read is None:
        raise TypeError(handler)

    def read_or_leave(data: bytes) -> object:
        try:
            return read(data)
        except DecodeError:
            return UNREADABLE

    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(
            handler.unary_stream, request_deserializer=read_or_leave, response_serializer=write
        )
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(
            handler.unary_unary, request_deserializer=read_or_leave, response_serializer=write
        )
    raise TypeError(handler)
