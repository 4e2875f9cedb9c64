"""The decisions: (record, ceremony, what was checked, policy, time) to a next record, an event and a verdict.

Pure. Who calls them opens the record before and seals it after; nothing here reads a clock, draws randomness or touches
a key. A decision that raises `Refusal` changes nothing and is not an attempt (unjudged); a decision that returns
`Decided` must be committed before anything of it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.attempts import (
    EMPTY_LEDGER,
    charge_failure,
    check_cool_down,
    check_release_quota,
    count_release,
    is_exhausted,
    settle_success,
)
from strongroom_service.domain.ceremonies import Operation, Register, Store
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, Verified, WrongSignature
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.events import Event, Evidence, Outcome
from strongroom_service.domain.records import (
    GENESIS_HEAD,
    MAX_GRANTS,
    Archive,
    Grant,
    Record,
    VaultState,
    head_of,
    version_of,
)

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import CeremonyRequest, Statement
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.credentials import Credential, RecoveryVerified
    from strongroom_service.domain.policy import Policy

    CheckedAssertion = Verified | RecoveryVerified | WrongSignature | PolicyViolated


@dataclass(frozen=True, slots=True)
class Decided:
    """What must be committed, and what may be told afterwards: the reply of a grant, or `refusal`."""

    record: Record
    event: Event
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion, as far as it is the same for all operations.

    `credential_id` is the id of the passkey, or the recovery public key.
    """

    statement: Statement
    challenge: bytes
    credential_id: bytes
    evidence: Evidence
    now: Millis


def check_may_begin(record: Record | None, request: CeremonyRequest, *, now: Millis) -> None:
    """Refuse a ceremony that could not be completed now. Changes nothing, tells only the account's own state.

    Raises:
        Refusal: VAULT_EXISTS, NO_VAULT, VAULT_EXHAUSTED, COOLING_DOWN or RELEASE_QUOTA.
        InvalidField: a store in another mode than the record's.
    """
    operation = request.operation
    if operation is Operation.REGISTER:
        if record is not None and record.state is VaultState.LIVE:
            raise Refusal(Reason.VAULT_EXISTS)
        return
    if record is None or record.state is VaultState.DELETED:
        raise Refusal(Reason.NO_VAULT)
    if record.state is VaultState.EXHAUSTED:
        raise Refusal(Reason.VAULT_EXHAUSTED)
    check_cool_down(record.ledger, now=now)
    if operation is Operation.RELEASE:
        if not record.archives:
            raise Refusal(Reason.NO_VAULT)
        check_release_quota(record.ledger, record.policy, now=now)
    if isinstance(request.parameters, Store) and request.parameters.mode is not record.mode:
        raise InvalidField(field="request.store.mode", rule="must be the mode chosen at registration")


def check_live(record: Record | None, statement: Statement, *, now: Millis) -> None:
    """Refuse, unjudged, a ceremony that is over.

    A ceremony lives at one version of the record: the first judged attempt of any ceremony ends them all. That is what
    makes each of them single-use without a table of challenges.

    Raises:
        Refusal: CEREMONY_EXPIRED, or BEGIN_AGAIN when the record has moved on.
    """
    if now >= statement.expires_at:
        raise Refusal(Reason.CEREMONY_EXPIRED)
    if statement.version != version_of(record) or statement.chain_head != head_of(record):
        raise Refusal(Reason.BEGIN_AGAIN, detail="the record has moved on")
    check_may_begin(record, statement.request, now=now)


def decide_registration(
    record: Record | None, attempt: Attempt, *, parameters: Register, credential: Credential, policy: Policy
) -> Decided:
    """A checked attestation: a new life begins, inert until its first store."""
    version = version_of(record) + 1
    grant = _grant(attempt, version=version, recipient=b"", archive_versions=())
    registered = Record(
        tenant=attempt.statement.tenant,
        account=attempt.statement.account,
        version=version,
        chain_head=GENESIS_HEAD,
        life=1 if record is None else record.life + 1,
        state=VaultState.INERT,
        mode=parameters.mode,
        credentials=(credential,),
        recovery_public_key=parameters.recovery_public_key,
        policy=policy,
        ledger=EMPTY_LEDGER,
        archives=(),
        grants=(grant,),
    )
    return Decided(record=registered, event=_event(registered, attempt, Outcome.GRANTED), refusal=None)


def decide_assertion(
    record: Record,
    attempt: Attempt,
    *,
    checked: CheckedAssertion,
    recipient: bytes = b"",
    stored: Archive | None = None,
) -> Decided:
    """A judged assertion. `recipient` is a release's; `stored` a store's archive, wrapped for the next version."""
    moved = replace(record, version=record.version + 1, grants=_unexpired(record.grants, now=attempt.now))
    match checked:
        case WrongSignature(detail=detail):
            return _decide_failure(moved, attempt, detail=detail)
        case PolicyViolated(violation=violation):
            return _decide_violation(moved, attempt, violation=violation)
        case _:
            return _decide_success(moved, attempt, checked=checked, recipient=recipient, stored=stored)


def _decide_failure(moved: Record, attempt: Attempt, *, detail: str) -> Decided:
    charged = replace(moved, ledger=charge_failure(moved.ledger, moved.policy, now=attempt.now))
    outcome = Outcome.FAILED
    if is_exhausted(charged.ledger, charged.policy):
        charged = _tombstone(charged, VaultState.EXHAUSTED)
        outcome = Outcome.EXHAUSTED
    event = _event(charged, attempt, outcome, reason=f"wrong_signature: {detail}")
    return Decided(record=charged, event=event, refusal=Refusal(Reason.NOT_VERIFIED, detail=event.reason))


def _decide_violation(moved: Record, attempt: Attempt, *, violation: PolicyViolation) -> Decided:
    if violation is PolicyViolation.COUNTER_REGRESSION:
        moved = _quarantine(moved, attempt.credential_id)
    event = _event(moved, attempt, Outcome.REFUSED, reason=violation.value)
    return Decided(record=moved, event=event, refusal=Refusal(Reason.NOT_VERIFIED, detail=event.reason))


def _decide_success(
    moved: Record,
    attempt: Attempt,
    *,
    checked: Verified | RecoveryVerified,
    recipient: bytes,
    stored: Archive | None,
) -> Decided:
    opened = attempt.statement.request.opened_archive_version
    settled = replace(
        moved,
        ledger=settle_success(moved.ledger),
        credentials=_used(moved, attempt, checked=checked),
        archives=_confirmed(moved.archives, opened=opened),
    )
    operation = attempt.statement.request.operation
    if operation is Operation.STORE and stored is not None:
        kept = tuple(archive for archive in settled.archives if archive.confirmed)
        settled = replace(settled, state=VaultState.LIVE, archives=(stored, *kept))
        touched: tuple[int, ...] = (stored.archive_version,)
    elif operation is Operation.RELEASE:
        settled = replace(settled, ledger=count_release(settled.ledger, now=attempt.now))
        touched = tuple(archive.archive_version for archive in settled.archives)
    elif operation is Operation.DELETE:
        settled = _tombstone(settled, VaultState.DELETED)
        touched = ()
    else:
        message = f"{operation.value} cannot be completed by an assertion"
        raise ValueError(message)
    grant = _grant(attempt, version=settled.version, recipient=recipient, archive_versions=touched)
    granted = replace(settled, grants=(*settled.grants, grant)[-MAX_GRANTS:])
    envelope_sha256 = stored.envelope_sha256 if stored is not None else b""
    event = _event(granted, attempt, Outcome.GRANTED, archive_versions=touched, envelope_sha256=envelope_sha256)
    return Decided(record=granted, event=event, refusal=None)


def _tombstone(record: Record, state: VaultState) -> Record:
    """Erase what could be opened or asserted; version, life, policy and ledger stay."""
    return replace(record, state=state, credentials=(), recovery_public_key=b"", archives=(), grants=())


def _quarantine(record: Record, credential_id: bytes) -> Record:
    credentials = tuple(
        replace(credential, quarantined=True) if credential.credential_id == credential_id else credential
        for credential in record.credentials
    )
    grants = tuple(grant for grant in record.grants if grant.credential_id != credential_id)
    return replace(record, credentials=credentials, grants=grants)


def _used(record: Record, attempt: Attempt, *, checked: Verified | RecoveryVerified) -> tuple[Credential, ...]:
    if not isinstance(checked, Verified):
        return record.credentials
    return tuple(
        replace(
            credential,
            sign_count=checked.sign_count,
            backup_state=checked.backup_state,
            last_used_at=attempt.now,
        )
        if credential.credential_id == attempt.credential_id
        else credential
        for credential in record.credentials
    )


def _confirmed(archives: tuple[Archive, ...], *, opened: int) -> tuple[Archive, ...]:
    """The version that a client says it opened is confirmed, and replaces the older confirmed one."""
    if not archives or archives[0].confirmed or archives[0].archive_version != opened:
        return archives
    return (replace(archives[0], confirmed=True),)


def _unexpired(grants: tuple[Grant, ...], *, now: Millis) -> tuple[Grant, ...]:
    return tuple(grant for grant in grants if now < grant.expires_at)


def _grant(attempt: Attempt, *, version: int, recipient: bytes, archive_versions: tuple[int, ...]) -> Grant:
    return Grant(
        challenge=attempt.challenge,
        credential_id=attempt.credential_id,
        operation=attempt.statement.request.operation,
        recipient=recipient,
        version=version,
        chain_head=GENESIS_HEAD,
        expires_at=attempt.statement.expires_at,
        archive_versions=archive_versions,
    )


def _event(
    record: Record,
    attempt: Attempt,
    outcome: Outcome,
    *,
    reason: str = "",
    archive_versions: tuple[int, ...] = (),
    envelope_sha256: bytes = b"",
) -> Event:
    return Event(
        version=record.version,
        at=attempt.now,
        operation=attempt.statement.request.operation,
        outcome=outcome,
        reason=reason,
        failures=record.ledger.failures,
        evidence=attempt.evidence,
        envelope_sha256=envelope_sha256,
        archive_versions=archive_versions,
    )
