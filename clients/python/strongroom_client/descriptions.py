"""What the vault says of itself, of a record and of its history, as values. Times are unix milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import ReplyMismatch
from strongroom_client.timestamps import millis_of
from strongroom_client.verification.bundles import VerifiedBundle

_Number = TypeVar("_Number", bound=int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits of a record: see strongroom.v1.Policy."""

    budget: int
    cool_down_seconds: tuple[int, ...]
    on_exhaustion: str
    releases_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The vault for one tenant.

    Attributes:
        tenant, rp_id, origin: `origin` is the one that the authenticator is told.
        algorithms: COSE algorithms that both sides know, in the vault's order.
        max_envelope_bytes: largest envelope.
        policy: limits that a new record gets.
        bundle: the vault's keys.
        keeper_time: the keeper's clock when it answered.
        development: the tenant is marked for development.
    """

    tenant: str
    rp_id: str
    origin: str
    algorithms: tuple[int, ...]
    max_envelope_bytes: int
    policy: Policy
    bundle: VerifiedBundle
    keeper_time: Millis
    development: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey of the record; `last_used_at` is None before its first assertion."""

    credential_id: bytes
    created_at: Millis
    last_used_at: Millis | None
    backup_eligible: bool
    quarantined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArchive:
    """One archive version that the vault holds."""

    archive_version: int
    confirmed: bool
    stored_at: Millis
    envelope_sha256: bytes
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStatus:
    """The record, as the vault signed it.

    Attributes:
        state: `none`, `inert`, `live`, `exhausted` or `deleted`.
        cool_down_ends_at: None outside a cool-down.
        policy: None where there is no record.
    """

    state: str
    version: int
    chain_head: bytes
    life: int
    mode: str
    passkeys: tuple[Passkey, ...]
    has_recovery_key: bool
    archives: tuple[StoredArchive, ...]
    attempts_left: int
    cool_down_ends_at: Millis | None
    releases_left: int
    policy: Policy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One event; `message` has the evidence: ceremony, assertion or attestation, and COSE key."""

    version: int
    chain_head: bytes
    at: Millis
    kind: str
    outcome: str
    reason: str
    failures: int
    archive_versions: tuple[int, ...]
    message: event_pb2.Event = field(repr=False)


def describe_policy(message: resources_pb2.Policy) -> Policy:
    """Return the limits in `message`."""
    return Policy(
        budget=message.budget,
        cool_down_seconds=tuple(message.cool_down_seconds),
        on_exhaustion=_word(resources_pb2.OnExhaustion.Name, message.on_exhaustion, "ON_EXHAUSTION_"),
        releases_per_day=message.releases_per_day,
    )


def describe_vault(reply: vault_service_pb2.VaultReply, *, version: int, chain_head: bytes) -> VaultStatus:
    """Return the record in `reply`, whose receipt speaks of `version` and `chain_head`.

    Raises:
        ReplyMismatch: a time in it is not one.
    """
    return VaultStatus(
        state=_word(resources_pb2.VaultState.Name, reply.state, "VAULT_STATE_"),
        version=version,
        chain_head=chain_head,
        life=reply.life,
        mode=_word(resources_pb2.Mode.Name, reply.mode, "MODE_"),
        passkeys=tuple(_passkey(credential) for credential in reply.credentials),
        has_recovery_key=bool(reply.recovery_public_key),
        archives=tuple(_archive(archive) for archive in reply.archives),
        attempts_left=reply.attempts_left,
        cool_down_ends_at=_millis(reply.cool_down_end_time) if reply.HasField("cool_down_end_time") else None,
        releases_left=reply.releases_left,
        policy=describe_policy(reply.policy) if reply.HasField("policy") else None,
    )


def describe_event(message: event_pb2.Event) -> HistoryEvent:
    """Return one event of a checked page.

    Raises:
        ReplyMismatch: its time is not one.
    """
    return HistoryEvent(
        version=message.version,
        chain_head=message.chain_head,
        at=_millis(message.event_time),
        kind=_word(event_pb2.EventKind.Name, message.kind, "EVENT_KIND_"),
        outcome=_word(event_pb2.EventOutcome.Name, message.outcome, "EVENT_OUTCOME_"),
        reason=message.reason,
        failures=message.failures,
        archive_versions=tuple(message.archive_versions),
        message=message,
    )


def _passkey(credential: resources_pb2.Credential) -> Passkey:
    used = credential.HasField("last_use_time")
    return Passkey(
        credential_id=credential.credential_id,
        created_at=_millis(credential.create_time),
        last_used_at=_millis(credential.last_use_time) if used else None,
        backup_eligible=credential.backup_eligible,
        quarantined=credential.quarantined,
    )


def _archive(archive: resources_pb2.ArchiveVersion) -> StoredArchive:
    return StoredArchive(
        archive_version=archive.archive_version,
        confirmed=archive.confirmed,
        stored_at=_millis(archive.store_time),
        envelope_sha256=archive.envelope_sha256,
        mode=_word(resources_pb2.Mode.Name, archive.mode, "MODE_"),
    )


def _millis(timestamp: Timestamp) -> Millis:
    return millis_of(timestamp, otherwise=ReplyMismatch)


def _word(name_of: Callable[[_Number], str], value: _Number, prefix: str) -> str:
    """Return an enum value in lower case, without its prefix; a number for one that a newer vault knows."""
    try:
        return name_of(value).removeprefix(prefix).lower().replace("_", "-")
    except ValueError:
        return str(value)
