"""Bytes that are no message reach the guard like any request, and are refused by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, cast

import grpc
import pytest

from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.front.guard import SERVICE_NAME, Call, Guard, guarded
from strongroom_service.front.server import LimitedServer
from strongroom_service.front.unreadable import UNREADABLE, leaving_unreadable
from tests.fakes.grpc_context import Aborted, FakeContext
from tests.unit.front.test_guard import Bench

HANDLER: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
    lambda request, _: request,
    request_deserializer=pb.ReleaseEnvelopeRequest.FromString,
    response_serializer=pb.ReleaseEnvelopeResponse.SerializeToString,
)


class RecordingServer:
    """Takes handlers as a gRPC server does, and finds the one for a method."""

    def __init__(self) -> None:
        self.handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self.handlers += handlers

    def find(self, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        details = type("Details", (), {"method": method, "invocation_metadata": ()})()
        (found,) = (handler.service(details) for handler in self.handlers)
        return cast("grpc.RpcMethodHandler[Any, Any]", found)


class Servicer:
    """Would answer, if it were asked."""

    service = SERVICE_NAME

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    @guarded
    async def ReleaseEnvelope(self, request: pb.ReleaseEnvelopeRequest, call: Call) -> NoReturn:  # noqa: N802  the RPC's name
        raise AssertionError(request, call)


def read(handler: grpc.RpcMethodHandler[Any, Any], data: bytes) -> object:
    assert handler.request_deserializer is not None
    return handler.request_deserializer(data)


def test_registered_methods_leave_what_is_no_message_to_the_guard() -> None:
    server = RecordingServer()
    LimitedServer(cast("grpc.aio.Server", server)).add_registered_method_handlers(
        SERVICE_NAME, {"ReleaseEnvelope": HANDLER}
    )
    found = server.find(f"/{SERVICE_NAME}/ReleaseEnvelope")
    assert read(found, b"\xff" * 8) is UNREADABLE
    good = pb.ReleaseEnvelopeRequest(ceremony=b"ceremony")
    assert read(found, good.SerializeToString()) == good


async def test_guard_refuses_it_by_name_and_counts_it() -> None:
    bench, context = Bench(), FakeContext()
    with pytest.raises(Aborted):
        await Servicer(bench.guard).ReleaseEnvelope(cast("Any", UNREADABLE), cast("Any", context))
    assert bench.handled("InvalidArgument") == 1
    [(_, fields)] = bench.log.lines
    assert fields["reason"] == "INVALID_FIELD"


def test_method_that_answers_with_a_stream_gets_it_too() -> None:
    streaming: Any = grpc.unary_stream_rpc_method_handler(
        lambda request, _: iter([request]), request_deserializer=pb.ReleaseEnvelopeRequest.FromString
    )
    assert read(leaving_unreadable(streaming), b"\xff" * 8) is UNREADABLE


def test_method_that_is_asked_by_a_stream_is_none_of_ours() -> None:
    streaming: Any = grpc.stream_unary_rpc_method_handler(
        lambda requests, _: requests, request_deserializer=pb.ReleaseEnvelopeRequest.FromString
    )
    with pytest.raises(TypeError):
        leaving_unreadable(streaming)
