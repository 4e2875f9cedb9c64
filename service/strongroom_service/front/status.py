"""The only map from our errors to gRPC: status codes, fixed texts, and details as google.rpc messages (AIP-193).

What the caller reads is decided by the reason alone. Field paths and rules are fixed text too; values, the words of
other errors and `detail` stay in the log.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

from strongroom_service.domain.errors import Fault, InvalidField, Reason, Refusal, StrongroomError

if TYPE_CHECKING:
    from google.protobuf.message import Message

ERROR_DOMAIN: Final = "strongroom"
DETAILS_KEY: Final = "grpc-status-details-bin"

_CODES: Final = {
    Reason.TOKEN_REJECTED: (grpc.StatusCode.UNAUTHENTICATED, "The account token was not accepted."),
    Reason.INVALID_FIELD: (grpc.StatusCode.INVALID_ARGUMENT, "A field of the request breaks a rule."),
    Reason.DEADLINE_REQUIRED: (grpc.StatusCode.INVALID_ARGUMENT, "Every call needs a deadline."),
    Reason.UNSUPPORTED_OPERATION: (grpc.StatusCode.UNIMPLEMENTED, "This release does not offer that operation."),
    Reason.BEGIN_AGAIN: (grpc.StatusCode.ABORTED, "The record has changed meanwhile: begin again."),
    Reason.CEREMONY_REJECTED: (grpc.StatusCode.PERMISSION_DENIED, "The ceremony was not accepted."),
    Reason.CEREMONY_EXPIRED: (grpc.StatusCode.FAILED_PRECONDITION, "The ceremony has expired: begin again."),
    Reason.NOT_VERIFIED: (grpc.StatusCode.PERMISSION_DENIED, "The passkey was not verified."),
    Reason.NO_VAULT: (grpc.StatusCode.FAILED_PRECONDITION, "There is no vault for this account."),
    Reason.VAULT_EXISTS: (grpc.StatusCode.ALREADY_EXISTS, "This account has a vault."),
    Reason.SCOPE_MISSING: (grpc.StatusCode.PERMISSION_DENIED, "The token does not allow that."),
    Reason.VAULT_CLOSED: (grpc.StatusCode.RESOURCE_EXHAUSTED, "All attempts are used up: the vault is closed: wait."),
    Reason.RESET_PENDING: (grpc.StatusCode.FAILED_PRECONDITION, "An earlier reset still keeps a vault set aside."),
    Reason.ERASURE_PENDING: (grpc.StatusCode.ALREADY_EXISTS, "The erasure of this account is pending already."),
    Reason.NO_ERASURE_PENDING: (grpc.StatusCode.FAILED_PRECONDITION, "No erasure of this account is pending."),
    Reason.VAULT_EXHAUSTED: (grpc.StatusCode.FAILED_PRECONDITION, "All attempts are used up: the vault is erased."),
    Reason.COOLING_DOWN: (grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many failed attempts: wait."),
    Reason.RELEASE_QUOTA: (grpc.StatusCode.RESOURCE_EXHAUSTED, "The releases of this day are used up: wait."),
    Reason.RATE_LIMITED: (grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many requests: wait."),
    Reason.BUSY: (grpc.StatusCode.RESOURCE_EXHAUSTED, "The service is busy: wait."),
    Reason.UNAVAILABLE: (grpc.StatusCode.UNAVAILABLE, "The service cannot answer now."),
    Reason.OUTCOME_UNKNOWN: (grpc.StatusCode.UNAVAILABLE, "The outcome is unknown: look at the vault first."),
    Reason.RECORD_REJECTED: (grpc.StatusCode.DATA_LOSS, "The stored record was rejected; the operator is alarmed."),
    Reason.INTERNAL: (grpc.StatusCode.INTERNAL, "Internal error."),
}

_QUOTAS: Final = {
    Reason.COOLING_DOWN: ("account", "failed attempts"),
    Reason.VAULT_CLOSED: ("account", "failed attempts"),
    Reason.RELEASE_QUOTA: ("account", "releases per day"),
    # Not whether address, account or tenant: what the others of a tenant do is not the caller's affair.
    Reason.RATE_LIMITED: ("caller", "requests"),
}
# RetryInfo of zero would have every client come back at once.
_LEAST_WAIT_MS: Final = 1_000
_WAIT_REASONS: Final = frozenset({*_QUOTAS, Reason.BUSY})


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """What a call ends with, ready to be sent."""

    reason: Reason
    code: grpc.StatusCode
    text: str
    details: bytes


def status_of(error: BaseException) -> ErrorStatus:
    """Return what the caller is told about `error`; of one that is none of ours, nothing but that it happened."""
    match error:
        case InvalidField():
            return _make_status(error.reason, _field_violation(error))
        case Refusal() if error.reason in _WAIT_REASONS or error.retry_after_ms is not None:
            return _wait_status(error.reason, _told_ms(error.reason, error.retry_after_ms or 0))
        case Refusal() | Fault():
            return _FIXED[error.reason]
        case _:
            return _FIXED[Reason.INTERNAL]


def log_detail_of(error: BaseException) -> str:
    """Return why, for the log. The text of an exception that is none of ours may hold secrets: its type must do."""
    match error:
        case Refusal():
            return error.detail
        case StrongroomError():
            return str(error)
        case _:
            return type(error).__name__


def _make_status(reason: Reason, *details: Message) -> ErrorStatus:
    code, text = _CODES[reason]
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=text)
    for detail in (error_details_pb2.ErrorInfo(reason=reason.value, domain=ERROR_DOMAIN), *details):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return ErrorStatus(reason=reason, code=code, text=text, details=status.SerializeToString())


def _field_violation(error: InvalidField) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.rule)
    return error_details_pb2.BadRequest(field_violations=[violation])


def _told_ms(reason: Reason, retry_after_ms: int) -> int:
    if reason is Reason.RATE_LIMITED:  # in whole seconds, so that a flood is told the same again and again
        retry_after_ms = -(-retry_after_ms // _LEAST_WAIT_MS) * _LEAST_WAIT_MS
    return max(retry_after_ms, _LEAST_WAIT_MS)


@functools.lru_cache(maxsize=4_096)
def _wait_status(reason: Reason, wait_ms: int) -> ErrorStatus:
    return _make_status(reason, *_wait(reason, wait_ms))


def _wait(reason: Reason, wait_ms: int) -> list[Message]:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(wait_ms)
    details: list[Message] = [retry]
    if reason in _QUOTAS:
        subject, description = _QUOTAS[reason]
        violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=description)
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    return details


_FIXED: Final = {reason: _make_status(reason) for reason in Reason}
