"""What a failed call says, as this client's errors: ErrorInfo (domain "strongroom"), RetryInfo and BadRequest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from strongroom_client.errors import (
    AccountTokenRejected,
    BeginAgain,
    Busy,
    CoolingDown,
    ErasurePending,
    Exhausted,
    InvalidRequest,
    NoErasurePending,
    NotVerified,
    NoVault,
    OutcomeUnknown,
    RateLimited,
    ReleaseQuotaUsed,
    ResetPending,
    ScopeMissing,
    StrongroomError,
    Unavailable,
    VaultClosed,
    VaultExists,
    VaultFault,
    VaultRefused,
)

_Detail = TypeVar("_Detail", bound=Message)
DOMAIN = "strongroom"
_REFUSALS: dict[str, type[VaultRefused]] = {
    "TOKEN_REJECTED": AccountTokenRejected,
    "BEGIN_AGAIN": BeginAgain,
    "CEREMONY_EXPIRED": BeginAgain,
    "NOT_VERIFIED": NotVerified,
    "NO_VAULT": NoVault,
    "VAULT_EXISTS": VaultExists,
    "VAULT_EXHAUSTED": Exhausted,
    "SCOPE_MISSING": ScopeMissing,
    "RESET_PENDING": ResetPending,
    "ERASURE_PENDING": ErasurePending,
    "NO_ERASURE_PENDING": NoErasurePending,
    "COOLING_DOWN": CoolingDown,
    "VAULT_CLOSED": VaultClosed,
    "RELEASE_QUOTA": ReleaseQuotaUsed,
    "RATE_LIMITED": RateLimited,
    "BUSY": Busy,
}
_TROUBLES: dict[str, Callable[[], StrongroomError]] = {
    "UNAVAILABLE": lambda: Unavailable("the vault is not available"),
    "OUTCOME_UNKNOWN": lambda: OutcomeUnknown("the vault does not know whether the change stands"),
    "RECORD_REJECTED": lambda: VaultFault("RECORD_REJECTED"),
    "INTERNAL": lambda: VaultFault("INTERNAL"),
}
_UNANSWERED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
_REFUSALS_BY_CODE: dict[grpc.StatusCode, type[VaultRefused]] = {
    grpc.StatusCode.UNAUTHENTICATED: AccountTokenRejected,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Busy,  # gRPC's own concurrency ceiling
}
_FAULTS = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.OUT_OF_RANGE,
    }
)


class _Failed(Protocol):
    """What failed calls of both gRPC APIs can say; neither class says so by its type."""

    def code(self) -> grpc.StatusCode:
        """Return the status code."""


def translate(error: grpc.RpcError) -> StrongroomError:
    """Return this client's error for a failed call; the server's free text is not repeated."""
    details = _details(error)
    info = _find(details, error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return _without_reason(cast("_Failed", error).code())
    if info.reason in _TROUBLES:
        return _TROUBLES[info.reason]()
    if info.reason == "INVALID_FIELD":
        return InvalidRequest(info.reason, violations=_violations(details))
    refusal = _REFUSALS.get(info.reason, VaultRefused)
    return refusal(info.reason, retry_after_seconds=_retry_after(details))


def _without_reason(code: grpc.StatusCode) -> StrongroomError:
    """Return the error for an answer without our details: from a proxy, or from gRPC itself."""
    if code in _UNANSWERED:
        return Unavailable(f"the vault did not answer ({code.name})")
    if code in _FAULTS:
        return VaultFault(code.name)
    return _REFUSALS_BY_CODE.get(code, VaultRefused)(code.name)


def _details(error: grpc.RpcError) -> tuple[Any, ...]:
    try:
        status = rpc_status.from_call(cast("grpc.Call", error))
    except (ValueError, DecodeError):
        return ()  # the details belong to another status than the call's: not to be believed
    return () if status is None else tuple(status.details)


def _find(details: Iterable[Any], kind: type[_Detail]) -> _Detail | None:
    for detail in details:
        if detail.TypeName() == kind.DESCRIPTOR.full_name:
            with suppress(DecodeError):
                return kind.FromString(detail.value)
    return None


def _retry_after(details: Iterable[Any]) -> float | None:
    info = _find(details, error_details_pb2.RetryInfo)
    return None if info is None else info.retry_delay.ToMilliseconds() / 1_000


def _violations(details: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    bad = _find(details, error_details_pb2.BadRequest)
    return () if bad is None else tuple((one.field, one.description) for one in bad.field_violations)
