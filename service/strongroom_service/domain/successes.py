"""What a good assertion does to the record, operation by operation. Pure, as `decisions`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.attempts import count_release
from strongroom_service.domain.ceremonies import (
    AddCredential,
    Delete,
    LiftQuarantine,
    Release,
    RemoveCredential,
    Reopen,
    SetPolicy,
    SetRecovery,
    Store,
)
from strongroom_service.domain.lives import drop_grants_of, revive_set_aside, to_tombstone
from strongroom_service.domain.records import Archive, Record, VaultState

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import CeremonyRequest
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.credentials import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a completion brings beside its assertion, checked.

    Attributes:
        recipient: of a release, X25519, 32 bytes.
        archive: the envelope, wrapped for the next version; of whatever stores one.
        credential: the attested passkey of an addition.
    """

    recipient: bytes = b""
    archive: Archive | None = None
    credential: Credential | None = None


NOTHING = Brought()


def apply_success(
    record: Record, request: CeremonyRequest, *, brought: Brought, now: Millis
) -> tuple[Record, tuple[int, ...]]:
    """Return the record after a granted `request`, and the archive versions that it stored or released."""
    record = replace(record, archives=_confirmed(record.archives, opened=request.opened_archive_version))
    if isinstance(request.parameters, Store | AddCredential | RemoveCredential | SetRecovery):
        return _store(record, request.parameters, brought=brought)
    touched: tuple[int, ...] = ()
    match request.parameters:
        case Release():
            record = replace(record, ledger=count_release(record.ledger, now=now))
            touched = tuple(archive.archive_version for archive in record.archives)
        case Reopen():
            record = revive_set_aside(record) if request.is_about_set_aside else record
        case LiftQuarantine(credential_id=credential_id):
            record = _with_trust_in(record, credential_id)
        case SetPolicy(policy=policy):
            record = replace(record, policy=policy)
        case Delete():
            record = to_tombstone(record, VaultState.DELETED)
        case _:
            message = f"{request.operation.value} cannot be completed by an assertion"
            raise ValueError(message)
    return record, touched


def _store(
    record: Record, parameters: Store | AddCredential | RemoveCredential | SetRecovery, *, brought: Brought
) -> tuple[Record, tuple[int, ...]]:
    """The new envelope replaces an unconfirmed one only: until it is opened once, the confirmed one stays beside it."""
    archive = brought.archive
    if archive is None:
        message = "what stores an envelope was completed without one"
        raise ValueError(message)
    match parameters:
        case Store(mode=mode):
            # An envelope that is locked in another way than its owner now wants must not be released any more.
            older = record.archives if mode is record.mode else ()
            record = replace(record, state=VaultState.LIVE, mode=mode, archives=older)
        case AddCredential():
            record = replace(record, credentials=(*record.credentials, _attested(brought)))
        case RemoveCredential(credential_id=credential_id):
            # The old envelopes are locked for the passkey that goes too, so none of them stays.
            record = _without_credential(replace(record, archives=()), credential_id)
        case SetRecovery(recovery_public_key=recovery_public_key):
            dropped = drop_grants_of(record, record.recovery_public_key)
            record = replace(dropped, recovery_public_key=recovery_public_key)
    kept = tuple(each for each in record.archives if each.confirmed)
    return replace(record, archives=(archive, *kept)), (archive.archive_version,)


def _attested(brought: Brought) -> Credential:
    if brought.credential is None:
        message = "an addition was completed without its passkey"
        raise ValueError(message)
    return brought.credential


def _without_credential(record: Record, credential_id: bytes) -> Record:
    credentials = tuple(each for each in record.credentials if each.credential_id != credential_id)
    return drop_grants_of(replace(record, credentials=credentials), credential_id)


def _with_trust_in(record: Record, credential_id: bytes) -> Record:
    """Its counter starts anew: an authenticator that was reset would else fall into quarantine again at once."""
    credentials = tuple(
        replace(each, quarantined=False, sign_count=0) if each.credential_id == credential_id else each
        for each in record.credentials
    )
    return replace(record, credentials=credentials)


def _confirmed(archives: tuple[Archive, ...], *, opened: int) -> tuple[Archive, ...]:
    """The version that a client says it opened is confirmed, and replaces the older confirmed one."""
    if not archives or archives[0].confirmed or archives[0].archive_version != opened:
        return archives
    return (replace(archives[0], confirmed=True),)
