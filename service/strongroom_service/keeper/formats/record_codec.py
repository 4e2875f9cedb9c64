"""The record as bytes: strongroom.keeper.v1.RecordState, which is then sealed."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from strongroom.keeper.v1 import record_pb2
from strongroom.v1 import resources_pb2
from strongroom_service.domain.attempts import Ledger
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import Credential
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.policy import Policy
from strongroom_service.domain.records import Archive, Grant, Record, SetAside, WrappedEnvelope
from strongroom_service.keeper.formats.enums import MODES, ON_EXHAUSTION, OPERATIONS, STATES

FORMAT = 1


def encode_record(record: Record) -> bytes:
    """Serialize a record for sealing."""
    return _record_message(record).SerializeToString(deterministic=True)


def _record_message(record: Record) -> record_pb2.RecordState:
    return record_pb2.RecordState(
        format=FORMAT,
        tenant=record.tenant,
        account=record.account,
        version=record.version,
        chain_head=record.chain_head,
        life=record.life,
        state=STATES[record.state],
        mode=MODES[record.mode],
        credentials=[_credential_message(credential) for credential in record.credentials],
        recovery_public_key=record.recovery_public_key,
        policy=policy_message(record.policy),
        ledger=record_pb2.LedgerState(
            failures=record.ledger.failures,
            cool_down_until=record.ledger.cool_down_until,
            release_day=record.ledger.release_day,
            releases=record.ledger.releases,
        ),
        archives=[_archive_message(archive) for archive in record.archives],
        grants=[_grant_message(grant) for grant in record.grants],
        set_aside=_set_aside_message(record.set_aside) if record.set_aside is not None else None,
        account_erase_at=record.account_erase_at or 0,
    )


def decode_record(serialized: bytes) -> Record:
    """Return the record behind an opened seal.

    Raises:
        RecordRejected: it is of a format, or holds a value, that this release does not know.
    """
    try:
        message = record_pb2.RecordState.FromString(serialized)
    except DecodeError as error:
        detail = "an opened record does not parse"
        raise RecordRejected(detail) from error
    return _record(message)


def _record(message: record_pb2.RecordState) -> Record:
    if message.format != FORMAT:
        detail = f"record format {message.format} is not known to this release"
        raise RecordRejected(detail)
    return Record(
        tenant=message.tenant,
        account=message.account,
        version=message.version,
        chain_head=message.chain_head,
        life=message.life,
        state=STATES.inverse(message.state),
        mode=MODES.inverse(message.mode),
        credentials=tuple(_credential(each) for each in message.credentials),
        recovery_public_key=message.recovery_public_key,
        policy=_policy(message.policy),
        ledger=Ledger(
            failures=message.ledger.failures,
            cool_down_until=Millis(message.ledger.cool_down_until),
            release_day=message.ledger.release_day,
            releases=message.ledger.releases,
        ),
        archives=tuple(_archive(each) for each in message.archives),
        grants=tuple(_grant(each) for each in message.grants),
        set_aside=_set_aside(message.set_aside) if message.HasField("set_aside") else None,
        account_erase_at=Millis(message.account_erase_at) if message.account_erase_at else None,
    )


def _set_aside_message(set_aside: SetAside) -> record_pb2.SetAsideState:
    return record_pb2.SetAsideState(
        record=_record_message(set_aside.record), set_aside_at=set_aside.set_aside_at, erase_at=set_aside.erase_at
    )


def _set_aside(message: record_pb2.SetAsideState) -> SetAside:
    if message.record.HasField("set_aside"):
        detail = "a life that was set aside holds another one"
        raise RecordRejected(detail)
    return SetAside(
        record=_record(message.record), set_aside_at=Millis(message.set_aside_at), erase_at=Millis(message.erase_at)
    )


def policy_message(policy: Policy) -> resources_pb2.Policy:
    """Return the policy as the protocol has it."""
    return resources_pb2.Policy(
        budget=policy.budget,
        cool_down_seconds=policy.cool_down_seconds,
        on_exhaustion=ON_EXHAUSTION[policy.on_exhaustion],
        releases_per_day=policy.releases_per_day,
        reset_grace_seconds=policy.reset_grace_seconds,
    )


def _policy(message: resources_pb2.Policy) -> Policy:
    try:
        return Policy(
            budget=message.budget,
            cool_down_seconds=tuple(message.cool_down_seconds),
            on_exhaustion=ON_EXHAUSTION.inverse(message.on_exhaustion),
            releases_per_day=message.releases_per_day,
            reset_grace_seconds=message.reset_grace_seconds,
        )
    except ValueError as error:
        detail = f"an opened record holds a policy that breaks a rule: {error}"
        raise RecordRejected(detail) from error


def _credential_message(credential: Credential) -> record_pb2.CredentialState:
    return record_pb2.CredentialState(
        credential_id=credential.credential_id,
        cose_key=credential.cose_key,
        algorithm=credential.algorithm,
        user_handle=credential.user_handle,
        sign_count=credential.sign_count,
        backup_eligible=credential.backup_eligible,
        backup_state=credential.backup_state,
        aaguid=credential.aaguid,
        transports=credential.transports,
        created_at=credential.created_at,
        last_used_at=credential.last_used_at,
        quarantined=credential.quarantined,
    )


def _credential(message: record_pb2.CredentialState) -> Credential:
    return Credential(
        credential_id=message.credential_id,
        cose_key=message.cose_key,
        algorithm=message.algorithm,
        user_handle=message.user_handle,
        sign_count=message.sign_count,
        backup_eligible=message.backup_eligible,
        backup_state=message.backup_state,
        aaguid=message.aaguid,
        transports=tuple(message.transports),
        created_at=Millis(message.created_at),
        last_used_at=Millis(message.last_used_at) if message.HasField("last_used_at") else None,
        quarantined=message.quarantined,
    )


def _archive_message(archive: Archive) -> record_pb2.ArchiveState:
    return record_pb2.ArchiveState(
        archive_version=archive.archive_version,
        confirmed=archive.confirmed,
        mode=MODES[archive.mode],
        stored_at=archive.stored_at,
        envelope_sha256=archive.envelope_sha256,
        mechanism=archive.wrapped.mechanism,
        kek_epoch=archive.wrapped.kek_epoch,
        iv=archive.wrapped.iv,
        ciphertext=archive.wrapped.ciphertext,
    )


def _archive(message: record_pb2.ArchiveState) -> Archive:
    return Archive(
        archive_version=message.archive_version,
        confirmed=message.confirmed,
        mode=MODES.inverse(message.mode),
        stored_at=Millis(message.stored_at),
        envelope_sha256=message.envelope_sha256,
        wrapped=WrappedEnvelope(
            mechanism=message.mechanism,
            kek_epoch=message.kek_epoch,
            iv=message.iv,
            ciphertext=message.ciphertext,
        ),
    )


def _grant_message(grant: Grant) -> record_pb2.GrantState:
    return record_pb2.GrantState(
        challenge=grant.challenge,
        credential_id=grant.credential_id,
        operation=OPERATIONS[grant.operation],
        recipient=grant.recipient,
        version=grant.version,
        chain_head=grant.chain_head,
        expires_at=grant.expires_at,
        archive_versions=grant.archive_versions,
        effect_at=grant.effect_at or 0,
    )


def _grant(message: record_pb2.GrantState) -> Grant:
    return Grant(
        challenge=message.challenge,
        credential_id=message.credential_id,
        operation=OPERATIONS.inverse(message.operation),
        recipient=message.recipient,
        version=message.version,
        chain_head=message.chain_head,
        expires_at=Millis(message.expires_at),
        archive_versions=tuple(message.archive_versions),
        effect_at=Millis(message.effect_at) if message.effect_at else None,
    )
