"""What the guard asks of a call's transport: the part of gRPC's own context that it uses, which others imitate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
import grpc.aio

GrpcContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]
"""gRPC's own. It is a `CallContext`, though what services inherit from has an older one's types too."""

Metadata = Iterable[tuple[str, str | bytes]]


class CallContext(Protocol):
    """A call under way."""

    def invocation_metadata(self) -> Metadata | None:
        """Return what came with the call, names in lower case; of two of one name both."""

    def peer(self) -> str:
        """Return gRPC's description of who called, such as `ipv4:192.0.2.7:50123`."""

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline, when the transport cancels the call; None without one."""

    def set_trailing_metadata(self, trailing_metadata: Sequence[tuple[str, str | bytes]], /) -> None:
        """Have these sent with the answer."""

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: Sequence[tuple[str, str | bytes]], /
    ) -> NoReturn:
        """End the call, by an exception of the transport's."""
