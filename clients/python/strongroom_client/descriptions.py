"""What the vault says of itself, of a record and of its history, as values. Times are unix milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import ReplyMismatch
from strongroom_client.passkey_names import model_of
from strongroom_client.pending import Pending
from strongroom_client.timestamps import millis_of, optional_millis
from strongroom_client.verification.bundles import VerifiedBundle
from strongroom_client.verification.positions import Position

_Number = TypeVar("_Number", bound=int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits of a record: see strongroom.v1.Policy."""

    budget: int
    cool_down_seconds: tuple[int, ...]
    on_exhaustion: str
    releases_per_day: int
    reset_grace_seconds: int


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
    """One passkey of the record.

    Attributes:
        last_used_at: None before its first assertion.
        aaguid: authenticator model as the passkey claims it, 16 bytes, zeros where it claims none. Without attestation,
            which the vault does not ask for, it proves nothing.
        backup_eligible, backup_state: it may be, and was when last used, copied to other devices by its provider.
    """

    credential_id: bytes
    created_at: Millis
    last_used_at: Millis | None
    aaguid: bytes
    backup_eligible: bool
    backup_state: bool
    quarantined: bool

    @property
    def model(self) -> str | None:
        """What the claimed model is called; None where the list of models does not have it."""
        return model_of(self.aaguid)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArchive:
    """One archive version that the vault holds."""

    archive_version: int
    confirmed: bool
    stored_at: Millis
    envelope_sha256: bytes
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An earlier life that a reset has set aside: it can be reopened by one of its credentials until it is erased."""

    set_aside_at: Millis
    erase_at: Millis
    passkeys: tuple[Passkey, ...]
    has_recovery_key: bool
    archives: tuple[StoredArchive, ...]
    attempts_left: int
    cool_down_ends_at: Millis | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStatus:
    """The record, as the vault signed it.

    Attributes:
        state: `none`, `inert`, `live`, `exhausted`, `deleted`, `empty` (after a reset) or `erased`.
        cool_down_ends_at: None outside a cool-down.
        policy: None where there is no record.
        closed: all attempts are used up; a passkey reopens it after the cool-down, the recovery key at any time.
        set_aside: None where nothing is.
        account_erase_at: when the tenant's erasure takes effect; None where none is pending.
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
    closed: bool
    set_aside: SetAside | None
    account_erase_at: Millis | None

    @property
    def pending(self) -> Pending:
        """What waits to be erased."""
        return Pending(
            set_aside_erase_at=None if self.set_aside is None else self.set_aside.erase_at,
            account_erase_at=self.account_erase_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One event; `message` has the evidence: ceremony, assertion or attestation, and COSE key.

    Attributes:
        about_set_aside: it concerned what a reset had set aside.
        swept: what it erased because its time had come: `set-aside` or `account`.
        erase_at: when what it set aside, or the account, will be erased; None where that is not its affair.
    """

    version: int
    chain_head: bytes
    at: Millis
    kind: str
    outcome: str
    reason: str
    failures: int
    archive_versions: tuple[int, ...]
    about_set_aside: bool
    swept: tuple[str, ...]
    erase_at: Millis | None
    message: event_pb2.Event = field(repr=False)


def describe_policy(message: resources_pb2.Policy) -> Policy:
    """Return the limits in `message`."""
    return Policy(
        budget=message.budget,
        cool_down_seconds=tuple(message.cool_down_seconds),
        on_exhaustion=word(resources_pb2.OnExhaustion.Name, message.on_exhaustion, "ON_EXHAUSTION_"),
        releases_per_day=message.releases_per_day,
        reset_grace_seconds=message.reset_grace_seconds,
    )


def policy_message(policy: Policy) -> resources_pb2.Policy:
    """Return `policy` as a message.

    Raises:
        ValueError: `on_exhaustion` is neither `destroy` nor `lock`.
    """
    return resources_pb2.Policy(
        budget=policy.budget,
        cool_down_seconds=policy.cool_down_seconds,
        on_exhaustion=resources_pb2.OnExhaustion.Value(f"ON_EXHAUSTION_{policy.on_exhaustion.upper()}"),
        releases_per_day=policy.releases_per_day,
        reset_grace_seconds=policy.reset_grace_seconds,
    )


def describe_vault(reply: vault_service_pb2.VaultReply, position: Position) -> VaultStatus:
    """Return the record in `reply`, whose receipt speaks of `position`.

    Raises:
        ReplyMismatch: a time in it is not one.
    """
    return VaultStatus(
        state=word(resources_pb2.VaultState.Name, reply.state, "VAULT_STATE_"),
        version=position.version,
        chain_head=position.chain_head,
        life=reply.life,
        mode=word(resources_pb2.Mode.Name, reply.mode, "MODE_"),
        passkeys=tuple(_passkey(credential) for credential in reply.credentials),
        has_recovery_key=bool(reply.recovery_public_key),
        archives=tuple(_archive(archive) for archive in reply.archives),
        attempts_left=reply.attempts_left,
        cool_down_ends_at=_optional_millis(reply, "cool_down_end_time"),
        releases_left=reply.releases_left,
        policy=describe_policy(reply.policy) if reply.HasField("policy") else None,
        closed=reply.closed,
        set_aside=_set_aside(reply.set_aside) if reply.HasField("set_aside") else None,
        account_erase_at=_optional_millis(reply, "account_erase_time"),
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
        kind=word(event_pb2.EventKind.Name, message.kind, "EVENT_KIND_"),
        outcome=word(event_pb2.EventOutcome.Name, message.outcome, "EVENT_OUTCOME_"),
        reason=message.reason,
        failures=message.failures,
        archive_versions=tuple(message.archive_versions),
        about_set_aside=message.about_set_aside,
        swept=tuple(word(event_pb2.Swept.Name, one, "SWEPT_") for one in message.swept),
        erase_at=_optional_millis(message, "erase_time"),
        message=message,
    )


def _set_aside(message: resources_pb2.SetAside) -> SetAside:
    return SetAside(
        set_aside_at=_millis(message.set_aside_time),
        erase_at=Millis(max(0, _millis(message.erase_time))),
        passkeys=tuple(_passkey(credential) for credential in message.credentials),
        has_recovery_key=bool(message.recovery_public_key),
        archives=tuple(_archive(archive) for archive in message.archives),
        attempts_left=message.attempts_left,
        cool_down_ends_at=_optional_millis(message, "cool_down_end_time"),
    )


def _passkey(credential: resources_pb2.Credential) -> Passkey:
    return Passkey(
        credential_id=credential.credential_id,
        created_at=_millis(credential.create_time),
        last_used_at=_optional_millis(credential, "last_use_time"),
        aaguid=credential.aaguid,
        backup_eligible=credential.backup_eligible,
        backup_state=credential.backup_state,
        quarantined=credential.quarantined,
    )


def _archive(archive: resources_pb2.ArchiveVersion) -> StoredArchive:
    return StoredArchive(
        archive_version=archive.archive_version,
        confirmed=archive.confirmed,
        stored_at=_millis(archive.store_time),
        envelope_sha256=archive.envelope_sha256,
        mode=word(resources_pb2.Mode.Name, archive.mode, "MODE_"),
    )


def _millis(timestamp: Timestamp) -> Millis:
    return millis_of(timestamp, otherwise=ReplyMismatch)


def _optional_millis(message: Message, name: str) -> Millis | None:
    return optional_millis(message, name, otherwise=ReplyMismatch)


def word(name_of: Callable[[_Number], str], value: _Number, prefix: str) -> str:
    """Return an enum value in lower case, without its prefix; a number for one that a newer vault knows."""
    try:
        return name_of(value).removeprefix(prefix).lower().replace("_", "-")
    except ValueError:
        return str(value)
