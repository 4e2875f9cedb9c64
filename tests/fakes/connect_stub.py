"""Connect and gRPC-Web written by hand from their specifications, in the looks of the stub that gRPC generates."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import status_pb2

from strongroom.v1 import vault_service_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["VaultService"]
_PREFIX = struct.Struct(">BI")
_TRAILERS = 0x80
_PATIENCE_SECONDS = 20.0
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_CONNECT_CODES = {code.name.lower(): code for code in grpc.StatusCode} | {"canceled": grpc.StatusCode.CANCELLED}

Headers = Iterable[tuple[str, str]]


@unique
class Wire(Enum):
    """How a call is put: protocol and format."""

    CONNECT = "application/proto"
    CONNECT_JSON = "application/json"
    GRPC_WEB = "application/grpc-web+proto"
    GRPC_WEB_JSON = "application/grpc-web+json"

    @property
    def is_json(self) -> bool:
        return self.value.endswith("json")

    @property
    def is_grpc_web(self) -> bool:
        return self.value.startswith("application/grpc-web")


@dataclass(frozen=True)
class Metadatum:
    key: str
    value: str | bytes


class Refused(grpc.RpcError):
    """What came instead of an answer, as grpc's errors look."""

    def __init__(self, code: grpc.StatusCode, text: str, trailers: Mapping[str, str | bytes]) -> None:
        super().__init__(code, text)
        self._code, self._text, self._trailers = code, text, trailers

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> Any:  # noqa: ANN401  grpc's type has no constructor
        return tuple(Metadatum(key, value) for key, value in self._trailers.items())


class ConnectStub:
    """Every RPC of VaultService, each call over a connection of its own."""

    def __init__(self, url: str, wire: Wire, *, ca_file: Path) -> None:
        """`ca_file` is for a URL of https."""
        self._url = urlsplit(url)
        self._ca_file = ca_file
        self._wire = wire

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(request: Message, *, timeout: float | None, metadata: Headers) -> Any:  # noqa: ANN401  the response
            return self._call(method, request, timeout, metadata)

        return call

    def _call(self, method: str, request: Message, timeout: float | None, metadata: Headers) -> Message:
        response_class = getattr(pb, _SERVICE.methods_by_name[method].output_type.name)
        body = json_format.MessageToJson(request).encode() if self._wire.is_json else request.SerializeToString()
        if self._wire.is_grpc_web:
            body = _PREFIX.pack(0, len(body)) + body
        connection = self._connection()
        try:
            connection.putrequest("POST", f"/{_SERVICE.full_name}/{method}", skip_accept_encoding=True)
            for name, value in self._headers(timeout, len(body), metadata):
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            headers, content = {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()
        data = (
            _grpc_web_message(headers, content) if self._wire.is_grpc_web else _unary(answer.status, headers, content)
        )
        response: Message = response_class()
        if self._wire.is_json:
            return json_format.Parse(data, response)
        response.ParseFromString(data)
        return response

    def _connection(self) -> http.client.HTTPConnection:
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.netloc, timeout=_PATIENCE_SECONDS)
        context = ssl.create_default_context(cafile=str(self._ca_file))
        return http.client.HTTPSConnection(self._url.netloc, timeout=_PATIENCE_SECONDS, context=context)

    def _headers(self, timeout: float | None, length: int, metadata: Headers) -> Headers:
        yield "content-type", self._wire.value
        yield "content-length", str(length)
        if timeout is not None:
            milliseconds = str(int(timeout * 1_000))
            yield (
                ("grpc-timeout", f"{milliseconds}m") if self._wire.is_grpc_web else ("connect-timeout-ms", milliseconds)
            )
        if not self._wire.is_grpc_web:
            yield "connect-protocol-version", "1"
        yield from metadata


def _unary(status: int, headers: Mapping[str, str], content: bytes) -> bytes:
    if status == http.client.OK:
        return content
    error = json.loads(content)
    code = _CONNECT_CODES[error["code"]]
    told = status_pb2.Status(code=code.value[0], message=error["message"])
    for detail in error.get("details", ()):
        value = base64.b64decode(detail["value"] + "==")
        told.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=value)
    raise Refused(code, error["message"], {**headers, "grpc-status-details-bin": told.SerializeToString()})


def _grpc_web_message(headers: Mapping[str, str], content: bytes) -> bytes:
    message, trailers, rest = b"", {name: value for name, value in headers.items() if name.startswith("grpc-")}, content
    while rest:
        flags, length = _PREFIX.unpack_from(rest)
        framed, rest = rest[_PREFIX.size : _PREFIX.size + length], rest[_PREFIX.size + length :]
        if flags & _TRAILERS:
            trailers |= dict(line.split(": ", 1) for line in framed.decode("ascii").splitlines())
        else:
            message = framed
    code = _CODES[int(trailers["grpc-status"])]
    if code is grpc.StatusCode.OK:
        return message
    status = base64.b64decode(trailers.get("grpc-status-details-bin", "") + "==")
    text = unquote(trailers.get("grpc-message", ""))
    raise Refused(code, text, {**headers, **trailers, "grpc-status-details-bin": status})
