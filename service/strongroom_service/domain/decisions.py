"""The decisions: (record, ceremony, what was checked, policy, time) to a next record, an event and a verdict.

Pure. Who calls them opens the record before and seals it after; nothing here reads a clock, draws randomness or touches
a key. A decision that raises `Refusal` changes nothing and is not an attempt (unjudged); a decision that returns
`Decided` must be committed before anything of it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.attempts import EMPTY_LEDGER, charge_failure, is_exhausted, settle_success
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, Verified, WrongSignature
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.events import Event, Evidence, Outcome, Swept
from strongroom_service.domain.lives import drop_grants_of, lengthen_grace, to_tombstone
from strongroom_service.domain.policy import OnExhaustion
from strongroom_service.domain.records import (
    GENESIS_HEAD,
    MAX_GRANTS,
    Grant,
    Record,
    VaultState,
    subject_of,
    version_of,
)
from strongroom_service.domain.successes import NOTHING, Brought, apply_success

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import Register, Statement
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

    `credential_id` is the id of the passkey, or the recovery public key. `swept` is what was due to be erased, and is
    already gone from the record that is decided about.
    """

    statement: Statement
    challenge: bytes
    credential_id: bytes
    evidence: Evidence
    now: Millis
    swept: tuple[Swept, ...] = ()


def decide_registration(
    record: Record | None, attempt: Attempt, *, parameters: Register, credential: Credential, policy: Policy
) -> Decided:
    """A checked attestation: a new life begins, inert until its first store. What is set aside stays so."""
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
        set_aside=None if record is None else record.set_aside,
        account_erase_at=None if record is None else record.account_erase_at,
    )
    return Decided(record=registered, event=_event(registered, attempt, Outcome.GRANTED), refusal=None)


def decide_assertion(
    record: Record, attempt: Attempt, *, checked: CheckedAssertion, brought: Brought = NOTHING
) -> Decided:
    """A judged assertion, with what the completion brought beside it, wrapped for the next version."""
    moved = replace(record, version=record.version + 1, grants=_unexpired(record.grants, now=attempt.now))
    match checked:
        case WrongSignature(detail=detail):
            return _decide_failure(moved, attempt, detail=detail)
        case PolicyViolated(violation=violation):
            return _decide_violation(moved, attempt, violation=violation)
        case _:
            return _decide_success(moved, attempt, checked=checked, brought=brought)


def _decide_failure(moved: Record, attempt: Attempt, *, detail: str) -> Decided:
    reason = f"wrong_signature: {detail}"
    aside = moved.set_aside if attempt.statement.request.is_about_set_aside else None
    if aside is None:
        charged, exhausted = _charge(moved, now=attempt.now)
        moved, erase_at = charged, None
    else:
        charged, exhausted = _charge(aside.record, now=attempt.now)
        kept = None if charged.state is VaultState.EXHAUSTED else lengthen_grace(aside, charged, now=attempt.now)
        moved, erase_at = replace(moved, set_aside=kept), None if kept is None else kept.erase_at
    outcome = Outcome.EXHAUSTED if exhausted else Outcome.FAILED
    event = _event(moved, attempt, outcome, reason=reason)
    event = replace(event, failures=charged.ledger.failures, erase_at=erase_at)
    return Decided(record=moved, event=event, refusal=Refusal(Reason.NOT_VERIFIED, detail=reason))


def _charge(subject: Record, *, now: Millis) -> tuple[Record, bool]:
    """Count a failure of this life; tell whether its budget is used up, and do what its policy says about that."""
    charged = replace(subject, ledger=charge_failure(subject.ledger, subject.policy, now=now))
    if not is_exhausted(charged.ledger, charged.policy):
        return charged, False
    if charged.policy.on_exhaustion is OnExhaustion.DESTROY:
        return to_tombstone(charged, VaultState.EXHAUSTED), True
    return replace(charged, grants=()), True


def _decide_violation(moved: Record, attempt: Attempt, *, violation: PolicyViolation) -> Decided:
    if violation is PolicyViolation.COUNTER_REGRESSION:
        if attempt.statement.request.is_about_set_aside and moved.set_aside is not None:
            quarantined = _quarantine(moved.set_aside.record, attempt.credential_id)
            moved = replace(moved, set_aside=replace(moved.set_aside, record=quarantined))
        else:
            moved = _quarantine(moved, attempt.credential_id)
    subject = subject_of(moved, attempt.statement.request) or moved
    event = _event(moved, attempt, Outcome.REFUSED, reason=violation.value)
    event = replace(event, failures=subject.ledger.failures)
    return Decided(record=moved, event=event, refusal=Refusal(Reason.NOT_VERIFIED, detail=event.reason))


def _decide_success(
    moved: Record, attempt: Attempt, *, checked: Verified | RecoveryVerified, brought: Brought
) -> Decided:
    request = attempt.statement.request
    if request.is_about_set_aside and moved.set_aside is not None:
        used = _settle(moved.set_aside.record, attempt, checked=checked)
        settled = replace(moved, set_aside=replace(moved.set_aside, record=used))
    else:
        settled = _settle(moved, attempt, checked=checked)
    succeeded, touched = apply_success(settled, request, brought=brought, now=attempt.now)
    grant = _grant(attempt, version=moved.version, recipient=brought.recipient, archive_versions=touched)
    granted = replace(succeeded, grants=(*succeeded.grants, grant)[-MAX_GRANTS:])
    event = _event(granted, attempt, Outcome.GRANTED)
    stored = b"" if brought.archive is None else brought.archive.envelope_sha256
    return Decided(record=granted, event=replace(event, archive_versions=touched, envelope_sha256=stored), refusal=None)


def _settle(subject: Record, attempt: Attempt, *, checked: Verified | RecoveryVerified) -> Record:
    """A good assertion: the count starts again, and the passkey that made it was used."""
    ledger = settle_success(subject.ledger)
    if not isinstance(checked, Verified):
        return replace(subject, ledger=ledger)
    credentials = tuple(
        replace(
            credential,
            sign_count=checked.sign_count,
            backup_state=checked.backup_state,
            last_used_at=attempt.now,
        )
        if credential.credential_id == attempt.credential_id
        else credential
        for credential in subject.credentials
    )
    return replace(subject, ledger=ledger, credentials=credentials)


def _quarantine(subject: Record, credential_id: bytes) -> Record:
    credentials = tuple(
        replace(credential, quarantined=True) if credential.credential_id == credential_id else credential
        for credential in subject.credentials
    )
    return drop_grants_of(replace(subject, credentials=credentials), credential_id)


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


def _event(record: Record, attempt: Attempt, outcome: Outcome, *, reason: str = "") -> Event:
    return Event(
        version=record.version,
        at=attempt.now,
        operation=attempt.statement.request.operation,
        outcome=outcome,
        reason=reason,
        failures=record.ledger.failures,
        evidence=attempt.evidence,
        about_set_aside=attempt.statement.request.is_about_set_aside,
        swept=attempt.swept,
    )
