"""What a refusal may look like: one of our reasons with its status, fixed texts, and nothing of what was sent."""

from __future__ import annotations

from google.rpc import error_details_pb2
from grpc import StatusCode

from tests.fakes.hand_client import Told
from tests.integration.abuse.spoiling import MARK

CLEAN = {
    "TOKEN_REJECTED": StatusCode.UNAUTHENTICATED,
    "SCOPE_MISSING": StatusCode.PERMISSION_DENIED,
    "INVALID_FIELD": StatusCode.INVALID_ARGUMENT,
    "UNSUPPORTED_OPERATION": StatusCode.UNIMPLEMENTED,
    "BEGIN_AGAIN": StatusCode.ABORTED,
    "CEREMONY_REJECTED": StatusCode.PERMISSION_DENIED,
    "NOT_VERIFIED": StatusCode.PERMISSION_DENIED,
    "NO_VAULT": StatusCode.FAILED_PRECONDITION,
    "VAULT_EXISTS": StatusCode.ALREADY_EXISTS,
    "RESET_PENDING": StatusCode.FAILED_PRECONDITION,
    "ERASURE_PENDING": StatusCode.ALREADY_EXISTS,
    "NO_ERASURE_PENDING": StatusCode.FAILED_PRECONDITION,
}
"""Reasons that abuse may meet, by docs/protocol.md. Faults are not among them: they are ours."""

DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest)


def require_clean(told: Told) -> None:
    """Check the whole of what was told."""
    assert CLEAN.get(told.reason) is told.code, (told.code, told.reason, told.text)
    assert told.status.code == told.code.value[0]
    assert told.detail(error_details_pb2.ErrorInfo).domain == "strongroom"
    kinds = {f"type.googleapis.com/{kind.DESCRIPTOR.full_name}" for kind in DETAILS}
    assert {each.type_url for each in told.status.details} <= kinds
    assert MARK not in told.status.SerializeToString()
    assert MARK.decode() not in f"{told.text}{told.trailers}"
    violations = told.detail(error_details_pb2.BadRequest)
    assert (violations is not None) is (told.reason == "INVALID_FIELD")
    if violations is not None:
        [violation] = violations.field_violations
        assert violation.field
        assert violation.description


def field_of(told: Told) -> str:
    """The path that an INVALID_FIELD names."""
    [violation] = told.detail(error_details_pb2.BadRequest).field_violations
    return str(violation.field)
