from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from strongroom_service.application.keepers import StaleRecord
from strongroom_service.domain.errors import (
    Fault,
    InvalidField,
    KeeperUnavailable,
    Misconfigured,
    OutcomeUnknown,
    RatesUnavailable,
    Reason,
    RecordRejected,
    Refusal,
    StoreUnavailable,
    TokenFault,
    VersionConflict,
)
from strongroom_service.front.status import ErrorStatus, log_detail_of, status_of

SECRET = "hunter2"
TABLE = {
    Reason.TOKEN_REJECTED: "UNAUTHENTICATED",
    Reason.INVALID_FIELD: "INVALID_ARGUMENT",
    Reason.DEADLINE_REQUIRED: "INVALID_ARGUMENT",
    Reason.UNSUPPORTED_OPERATION: "UNIMPLEMENTED",
    Reason.BEGIN_AGAIN: "ABORTED",
    Reason.CEREMONY_REJECTED: "PERMISSION_DENIED",
    Reason.CEREMONY_EXPIRED: "FAILED_PRECONDITION",
    Reason.NOT_VERIFIED: "PERMISSION_DENIED",
    Reason.NO_VAULT: "FAILED_PRECONDITION",
    Reason.VAULT_EXISTS: "ALREADY_EXISTS",
    Reason.VAULT_EXHAUSTED: "FAILED_PRECONDITION",
    Reason.VAULT_CLOSED: "RESOURCE_EXHAUSTED",
    Reason.SCOPE_MISSING: "PERMISSION_DENIED",
    Reason.RESET_PENDING: "FAILED_PRECONDITION",
    Reason.ERASURE_PENDING: "ALREADY_EXISTS",
    Reason.NO_ERASURE_PENDING: "FAILED_PRECONDITION",
    Reason.COOLING_DOWN: "RESOURCE_EXHAUSTED",
    Reason.RELEASE_QUOTA: "RESOURCE_EXHAUSTED",
    Reason.RATE_LIMITED: "RESOURCE_EXHAUSTED",
    Reason.BUSY: "RESOURCE_EXHAUSTED",
    Reason.UNAVAILABLE: "UNAVAILABLE",
    Reason.OUTCOME_UNKNOWN: "UNAVAILABLE",
    Reason.RECORD_REJECTED: "DATA_LOSS",
    Reason.INTERNAL: "INTERNAL",
}


def details_of(status: ErrorStatus) -> dict[str, bytes]:
    message = status_pb2.Status.FromString(status.details)
    assert (message.code, message.message) == (status.code.value[0], status.text)
    return {each.type_url.rpartition(".")[2]: each.value for each in message.details}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_code_and_names_itself(reason: Reason) -> None:
    status = status_of(Refusal(reason, detail=SECRET))
    assert status.code is grpc.StatusCode[TABLE[reason]]
    info = error_details_pb2.ErrorInfo.FromString(details_of(status)["ErrorInfo"])
    assert (info.reason, info.domain) == (reason.value, "strongroom")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeeperUnavailable(SECRET), Reason.UNAVAILABLE),
        (StoreUnavailable(SECRET), Reason.UNAVAILABLE),
        (RatesUnavailable(SECRET), Reason.UNAVAILABLE),
        (TokenFault(SECRET), Reason.UNAVAILABLE),
        (OutcomeUnknown(SECRET), Reason.OUTCOME_UNKNOWN),
        (RecordRejected(SECRET), Reason.RECORD_REJECTED),
        (Misconfigured(SECRET), Reason.INTERNAL),
        (Fault(SECRET), Reason.INTERNAL),
        (VersionConflict(SECRET), Reason.INTERNAL),
        (StaleRecord(newest_version=1), Reason.INTERNAL),
        (ValueError(SECRET), Reason.INTERNAL),
        (KeyError(SECRET), Reason.INTERNAL),
    ],
)
def test_fault_tells_its_reason_and_nothing_else(error: Exception, reason: Reason) -> None:
    status = status_of(error)
    assert status.reason is reason
    assert SECRET.encode() not in status.details
    assert SECRET not in status.text


def test_texts_of_a_reason_do_not_depend_on_the_error() -> None:
    assert status_of(Refusal(Reason.NOT_VERIFIED, detail="one")) == status_of(
        Refusal(Reason.NOT_VERIFIED, detail="other")
    )


def test_invalid_field_is_named_with_its_rule() -> None:
    status = status_of(InvalidField(field="attestation.transports", rule="must be at most 8"))
    [violation] = error_details_pb2.BadRequest.FromString(details_of(status)["BadRequest"]).field_violations
    assert (violation.field, violation.description) == ("attestation.transports", "must be at most 8")


@pytest.mark.parametrize(
    ("reason", "given_ms", "told_ms"),
    [
        (Reason.COOLING_DOWN, 61_500, 61_500),
        (Reason.COOLING_DOWN, 0, 1_000),
        (Reason.COOLING_DOWN, -5, 1_000),
        (Reason.RELEASE_QUOTA, None, 1_000),
        (Reason.RATE_LIMITED, 1, 1_000),
        (Reason.RATE_LIMITED, 40_001, 41_000),
        (Reason.BUSY, None, 1_000),
        (Reason.UNAVAILABLE, 2_000, 2_000),
    ],
)
def test_wait_is_told_and_never_zero(reason: Reason, given_ms: int | None, told_ms: int) -> None:
    details = details_of(status_of(Refusal(reason, retry_after_ms=given_ms)))
    retry = error_details_pb2.RetryInfo.FromString(details["RetryInfo"])
    assert retry.retry_delay.ToMilliseconds() == told_ms


@pytest.mark.parametrize("reason", Reason)
def test_quota_is_told_for_what_is_counted_alone(reason: Reason) -> None:
    has_quota = "QuotaFailure" in details_of(status_of(Refusal(reason)))
    assert has_quota == (
        reason in {Reason.COOLING_DOWN, Reason.VAULT_CLOSED, Reason.RELEASE_QUOTA, Reason.RATE_LIMITED}
    )


def test_refusal_for_a_rate_does_not_tell_whose_rate_it_was() -> None:
    status = status_of(Refusal(Reason.RATE_LIMITED, retry_after_ms=1, detail="tenant: read, 9 in 60 s"))
    assert status == status_of(Refusal(Reason.RATE_LIMITED, retry_after_ms=1, detail="peer: read, 9 in 60 s"))
    [violation] = error_details_pb2.QuotaFailure.FromString(details_of(status)["QuotaFailure"]).violations
    assert (violation.subject, violation.description) == ("caller", "requests")


@pytest.mark.parametrize("reason", [Reason.NOT_VERIFIED, Reason.CEREMONY_REJECTED, Reason.NO_VAULT])
def test_no_wait_is_told_where_waiting_does_not_help(reason: Reason) -> None:
    assert list(details_of(status_of(Refusal(reason)))) == ["ErrorInfo"]


def test_log_gets_our_details_and_of_foreign_errors_the_type_alone() -> None:
    assert log_detail_of(Refusal(Reason.NOT_VERIFIED, detail="wrong rp_id")) == "wrong rp_id"
    assert log_detail_of(StoreUnavailable("disk full")) == "disk full"
    assert log_detail_of(ValueError(SECRET)) == "ValueError"
