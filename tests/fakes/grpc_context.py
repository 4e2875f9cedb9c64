"""The context of a call, as far as the front looks at it."""

from __future__ import annotations

from typing import NoReturn

import grpc.aio


class Aborted(Exception):
    """What gRPC raises to end a call."""


class FakeContext:
    """The part of gRPC's context that the guard uses."""

    def __init__(
        self, *, remaining: float | None = 5.0, metadata: tuple[tuple[str, str], ...] = (("x-request-id", "r-1"),)
    ) -> None:
        self.remaining = remaining
        self.metadata = metadata
        self.trailers: dict[str, str | bytes] = {}
        self.code = grpc.StatusCode.OK
        self.text = ""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata

    def peer(self) -> str:
        return "ipv4:192.0.2.7:50123"

    def time_remaining(self) -> float | None:
        return self.remaining

    def set_trailing_metadata(self, trailers: tuple[tuple[str, str | bytes], ...]) -> None:
        self.trailers = dict(trailers)

    async def abort(self, code: grpc.StatusCode, text: str, trailers: tuple[tuple[str, str | bytes], ...]) -> NoReturn:
        self.code, self.text, self.trailers = code, text, dict(trailers)
        raise Aborted
