"""What can go wrong, in two families.

    StrongroomError
    ├── Refusal               policy said no: the caller's affair, told by a reason code and fixed text
    │   └── InvalidField      a request field broke a rule; names the field and the rule, never the value
    └── Fault                 machinery broke: ours; the caller learns a reason code, the log the detail
        ├── KeeperUnavailable     no keeper answered in time; the outcome of the call is unknown
        ├── StoreUnavailable      the database did not take or give a row; nothing was changed
        ├── RatesUnavailable      what counts requests cannot say whether one is too much
        ├── OutcomeUnknown        a commit may or may not have landed
        ├── RecordRejected        a sealed record or event does not open, is older than seen, or names another account
        ├── TokenFault            the PKCS#11 token failed or is not what it should be
        ├── ClockUntrusted        the host's clock is not fit to judge by, and the configuration demands that it is
        └── Misconfigured         configuration or keys are not fit to serve

    VersionConflict           the store's answer to a lost race; the use case turns it into BEGIN_AGAIN

Foreign exceptions are translated once, at the edge that met them. The text of a Fault is for the log only.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Reason(Enum):
    """Every reason a caller can be told; the table in docs/protocol.md lists the same names and their status codes."""

    TOKEN_REJECTED = "TOKEN_REJECTED"  # noqa: S105  a reason code, not a password
    SCOPE_MISSING = "SCOPE_MISSING"
    INVALID_FIELD = "INVALID_FIELD"
    DEADLINE_REQUIRED = "DEADLINE_REQUIRED"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    BEGIN_AGAIN = "BEGIN_AGAIN"
    CEREMONY_REJECTED = "CEREMONY_REJECTED"
    CEREMONY_EXPIRED = "CEREMONY_EXPIRED"
    NOT_VERIFIED = "NOT_VERIFIED"
    NO_VAULT = "NO_VAULT"
    VAULT_EXISTS = "VAULT_EXISTS"
    VAULT_EXHAUSTED = "VAULT_EXHAUSTED"
    VAULT_CLOSED = "VAULT_CLOSED"
    RESET_PENDING = "RESET_PENDING"
    ERASURE_PENDING = "ERASURE_PENDING"
    NO_ERASURE_PENDING = "NO_ERASURE_PENDING"
    COOLING_DOWN = "COOLING_DOWN"
    RELEASE_QUOTA = "RELEASE_QUOTA"
    RATE_LIMITED = "RATE_LIMITED"
    BUSY = "BUSY"
    UNAVAILABLE = "UNAVAILABLE"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    RECORD_REJECTED = "RECORD_REJECTED"
    INTERNAL = "INTERNAL"


class StrongroomError(Exception):
    """Root of both families."""


class Refusal(StrongroomError):
    """Policy said no.

    Attributes:
        reason: the code the caller is told.
        retry_after_ms: how long the caller should wait, in milliseconds, where waiting helps; else None.
        detail: why, for event and log only; never reaches the caller.
    """

    def __init__(self, reason: Reason, *, retry_after_ms: int | None = None, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_ms = retry_after_ms
        self.detail = detail


class InvalidField(Refusal):
    """A request field broke a rule. `field` is a proto path, `rule` fixed text; the value is never repeated."""

    def __init__(self, *, field: str, rule: str) -> None:
        super().__init__(Reason.INVALID_FIELD, detail=f"{field}: {rule}")
        self.field = field
        self.rule = rule


class Fault(StrongroomError):
    """Machinery broke. The message is for the log; the caller is told only `reason`."""

    reason = Reason.INTERNAL


class KeeperUnavailable(Fault):
    """No keeper answered within the deadline, or its connection broke: the outcome of the call is unknown."""

    reason = Reason.UNAVAILABLE


class StoreUnavailable(Fault):
    """The database refused or could not be reached; nothing was changed."""

    reason = Reason.UNAVAILABLE


class RatesUnavailable(Fault):
    """What counts requests cannot say whether one is too much; nothing was asked of keeper and store."""

    reason = Reason.UNAVAILABLE


class OutcomeUnknown(Fault):
    """A commit may have landed. The attempt counts if it did; nothing may be fulfilled."""

    reason = Reason.OUTCOME_UNKNOWN


class RecordRejected(Fault):
    """A sealed record, event or vault row does not open, is older than one seen, or belongs to another account."""

    reason = Reason.RECORD_REJECTED


class TokenFault(Fault):
    """The PKCS#11 token failed, or an object in it is missing or not what it should be."""

    reason = Reason.UNAVAILABLE


class ClockUntrusted(Fault):
    """The host's clock is not known to be right, and the configuration forbids to judge by such a one."""

    reason = Reason.UNAVAILABLE


class Misconfigured(Fault):
    """Configuration or keys are not fit to serve; the message names what and how to mend it, and no secret."""


class VersionConflict(StrongroomError):
    """The row's version is not the expected one: another change was committed first."""
