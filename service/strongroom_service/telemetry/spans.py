"""What is traced: RPCs, and in them calls to keepers and commits. Names and results come from closed sets.

Off unless bootstrap gives another `Tracing`: then nothing of OpenTelemetry is imported, and a span costs an empty call.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, unique
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from strongroom_service.telemetry.metrics import KeeperCallKind, KeeperCallResult, RpcMethod


@unique
class CommitResult(Enum):
    """How a commit ended."""

    OK = "ok"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class RpcSpan(Protocol):
    """An RPC under way."""

    def end(self, code: str) -> None:
        """Say that it ended with a gRPC status code, by its name. In the coroutine that began it."""


class KeeperCallSpan(Protocol):
    """A call to a keeper under way."""

    def end(self, result: KeeperCallResult) -> None:
        """Say that it ended."""


class CommitSpan(Protocol):
    """A commit under way."""

    def end(self, result: CommitResult) -> None:
        """Say that it ended."""


class Tracing(Protocol):
    """Begins spans. None of it takes who calls, or what a request holds."""

    def start_rpc(self, method: RpcMethod, metadata: Iterable[tuple[str, str | bytes]]) -> RpcSpan:
        """Begin an RPC's; of its metadata `traceparent` (W3C Trace Context) alone is read."""

    def start_keeper_call(self, call: KeeperCallKind) -> KeeperCallSpan:
        """Begin a call to a keeper, within the RPC that this coroutine belongs to; without one it is no span."""

    def start_commit(self) -> CommitSpan:
        """Begin a commit, likewise."""


class NoSpan:
    """Every kind of span, of what is not traced."""

    def end(self, result: object) -> None:
        """Do nothing."""


NO_SPAN: Final = NoSpan()


class NoTracing:
    """Implements `Tracing` by none."""

    def start_rpc(self, method: RpcMethod, metadata: Iterable[tuple[str, str | bytes]]) -> NoSpan:  # noqa: ARG002  the port's
        """See the port."""
        return NO_SPAN

    def start_keeper_call(self, call: KeeperCallKind) -> NoSpan:  # noqa: ARG002  the port's
        """See the port."""
        return NO_SPAN

    def start_commit(self) -> NoSpan:
        """See the port."""
        return NO_SPAN


NO_TRACING: Final = NoTracing()
