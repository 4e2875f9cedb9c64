"""What may be asked of a record now: checked when a ceremony begins, and again when it is completed.

Every refusal here is unjudged: nothing changes, and it tells only the account's own state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.attempts import check_cool_down, check_release_quota, is_exhausted
from strongroom_service.domain.ceremonies import (
    AddCredential,
    LiftQuarantine,
    Operation,
    Register,
    Release,
    RemoveCredential,
    Reopen,
    SetRecovery,
    Store,
)
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.records import VaultState, head_of, subject_of, version_of

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import CeremonyRequest, Parameters, Statement
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.records import Record

MAX_CREDENTIALS = 16

_OF_AN_INERT_VAULT = frozenset({Operation.STORE, Operation.DELETE})
_OF_THE_RECOVERY_CREDENTIAL = frozenset({Operation.RELEASE, Operation.ADD_CREDENTIAL, Operation.REOPEN})


def check_may_begin(record: Record | None, request: CeremonyRequest, *, now: Millis) -> None:
    """Refuse a ceremony that could not be completed now.

    Raises:
        Refusal: VAULT_EXISTS, NO_VAULT, VAULT_EXHAUSTED, COOLING_DOWN, VAULT_CLOSED or RELEASE_QUOTA.
        InvalidField: a parameter does not fit the record.
    """
    parameters = request.parameters
    if isinstance(parameters, Register):
        if record is not None and record.state is VaultState.LIVE:
            raise Refusal(Reason.VAULT_EXISTS)
        return
    subject = require_vault(subject_of(record, request))
    if isinstance(parameters, Reopen):
        _check_may_reopen(subject, request, now=now)
        return
    check_cool_down(subject.ledger, subject.policy, now=now)
    if subject.state is VaultState.INERT and request.operation not in _OF_AN_INERT_VAULT:
        raise Refusal(Reason.NO_VAULT, detail="nothing was stored yet")
    if isinstance(parameters, Release):
        check_release_quota(subject.ledger, subject.policy, now=now)
    _check_fits(subject, parameters)


def check_live(record: Record | None, statement: Statement, *, now: Millis) -> None:
    """Refuse, unjudged, a ceremony that is over.

    A ceremony lives at one version of the record: the first judged attempt of any ceremony ends them all. That is what
    makes each of them single-use without a table of challenges.

    Raises:
        Refusal: CEREMONY_EXPIRED, or BEGIN_AGAIN when the record has moved on; else as `check_may_begin`.
    """
    if now >= statement.expires_at:
        raise Refusal(Reason.CEREMONY_EXPIRED)
    if statement.version != version_of(record) or statement.chain_head != head_of(record):
        raise Refusal(Reason.BEGIN_AGAIN, detail="the record has moved on")
    check_may_begin(record, statement.request, now=now)


def check_passkey_may_reopen(subject: Record, *, now: Millis) -> None:
    """Refuse, unjudged, a passkey while the vault is closed: before its time only the recovery credential reopens.

    Raises:
        Refusal: VAULT_CLOSED.
    """
    check_cool_down(subject.ledger, subject.policy, now=now)


def check_may_recover(operation: Operation) -> None:
    """Refuse, unjudged, the recovery credential where it has no say: it may only release, add a credential and reopen.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    if operation not in _OF_THE_RECOVERY_CREDENTIAL:
        raise Refusal(Reason.NOT_VERIFIED, detail=f"the recovery credential may not {operation.value}")


def require_vault(record: Record | None) -> Record:
    """Return a record that holds something.

    Raises:
        Refusal: NO_VAULT or VAULT_EXHAUSTED.
    """
    if record is not None and record.state in {VaultState.INERT, VaultState.LIVE}:
        return record
    exhausted = record is not None and record.state is VaultState.EXHAUSTED
    raise Refusal(Reason.VAULT_EXHAUSTED if exhausted else Reason.NO_VAULT)


def _check_may_reopen(subject: Record, request: CeremonyRequest, *, now: Millis) -> None:
    if is_exhausted(subject.ledger, subject.policy):
        return  # closed: the recovery credential reopens at any time, and a passkey is told to wait once it signs
    if not request.is_about_set_aside:
        raise InvalidField(field="request.reopen.target", rule="must be what is set aside or closed")
    check_cool_down(subject.ledger, subject.policy, now=now)


def _check_fits(record: Record, parameters: Parameters) -> None:
    ids = {credential.credential_id for credential in record.credentials}
    match parameters:
        case Store() if parameters.mode is not record.mode and record.state is VaultState.INERT:
            raise InvalidField(field="request.store.mode", rule="must at first be the mode chosen at registration")
        case AddCredential() if parameters.credential_id in ids:
            raise InvalidField(field="request.add_credential.credential_id", rule="must not be in the vault already")
        case AddCredential() if len(ids) >= MAX_CREDENTIALS:
            rule = f"must not be the vault's passkey number {MAX_CREDENTIALS + 1}"
            raise InvalidField(field="request.add_credential", rule=rule)
        case RemoveCredential() if parameters.credential_id not in ids:
            raise InvalidField(field="request.remove_credential.credential_id", rule="must be in the vault")
        case RemoveCredential() if len(ids) == 1 and not record.effective_recovery_public_key:
            rule = "must not be the last passkey while there is no recovery credential"
            raise InvalidField(field="request.remove_credential.credential_id", rule=rule)
        case SetRecovery() if parameters.recovery_public_key == record.recovery_public_key:
            raise InvalidField(field="request.set_recovery.recovery_public_key", rule="must be another than before")
        case LiftQuarantine() if not _is_quarantined(record, parameters.credential_id):
            raise InvalidField(field="request.lift_quarantine.credential_id", rule="must be a quarantined passkey")


def _is_quarantined(record: Record, credential_id: bytes) -> bool:
    return any(each.credential_id == credential_id and each.quarantined for each in record.credentials)
