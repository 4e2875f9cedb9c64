"""The record: all that is kept for one account."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, unique
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from strongroom_service.domain.attempts import Ledger
    from strongroom_service.domain.ceremonies import CeremonyRequest, Mode, Operation
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.credentials import Credential
    from strongroom_service.domain.policy import Policy

GENESIS_HEAD = bytes(32)
MAX_GRANTS = 8
_CREDENTIAL_SET_LABEL = "strongroom/v1/credential-set"
_CHAIN_LABEL = "strongroom/v1/chain"


@unique
class VaultState(Enum):
    """Where a record is in its life. All but INERT and LIVE hold nothing to open or assert with."""

    INERT = "inert"
    LIVE = "live"
    EXHAUSTED = "exhausted"
    DELETED = "deleted"
    EMPTY = "empty"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class WrappedEnvelope:
    """An envelope encrypted in the token under the KEK of an epoch."""

    mechanism: str
    kek_epoch: int
    iv: bytes
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive version; `archive_version` is the version of the change that stored it, so never used twice."""

    archive_version: int
    confirmed: bool
    mode: Mode
    stored_at: Millis
    envelope_sha256: bytes
    wrapped: WrappedEnvelope


@dataclass(frozen=True, slots=True)
class Grant:
    """A completion that was granted; answered again, with the same content, until its ceremony expires.

    `challenge` is the caller's nonce, and `credential_id` empty, where nobody asserted. `effect_at` is when a reset
    or an erasure takes effect.
    """

    challenge: bytes
    credential_id: bytes
    operation: Operation
    recipient: bytes
    version: int
    chain_head: bytes
    expires_at: Millis
    archive_versions: tuple[int, ...]
    effect_at: Millis | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept for one account.

    `archives` holds at most two, newest first: an unconfirmed one and the newest confirmed one. `account_erase_at` is
    when the tenant's erasure takes effect, if one is pending.
    """

    tenant: str
    account: str
    version: int
    chain_head: bytes
    life: int
    state: VaultState
    mode: Mode
    credentials: tuple[Credential, ...]
    recovery_public_key: bytes
    policy: Policy
    ledger: Ledger
    archives: tuple[Archive, ...]
    grants: tuple[Grant, ...]
    set_aside: SetAside | None = None
    account_erase_at: Millis | None = None

    def stamped(self, chain_head: bytes) -> Record:
        """Return this record with the chain head of its own version, also in the grant that this version made."""
        grants = tuple(
            replace(grant, chain_head=chain_head) if grant.version == self.version else grant for grant in self.grants
        )
        return replace(self, chain_head=chain_head, grants=grants)

    @property
    def effective_recovery_public_key(self) -> bytes:
        """The recovery credential, which counts from the first store on; empty before."""
        return self.recovery_public_key if self.state is VaultState.LIVE else b""


@dataclass(frozen=True, slots=True)
class SetAside:
    """The life that a reset has set aside, with its own ledger; `record` has no grants and nothing set aside itself."""

    record: Record
    set_aside_at: Millis
    erase_at: Millis


def subject_of(record: Record | None, request: CeremonyRequest) -> Record | None:
    """Return the life whose credentials may sign for `request`: the one in use, or the one set aside."""
    if record is None or not request.is_about_set_aside:
        return record
    return None if record.set_aside is None else record.set_aside.record


def version_of(record: Record | None) -> int:
    """Return the record's version; no record counts as version 0."""
    return 0 if record is None else record.version


def head_of(record: Record | None) -> bytes:
    """Return the record's chain head; no record has the genesis head."""
    return GENESIS_HEAD if record is None else record.chain_head


def next_head(previous_head: bytes, sealed_event: bytes) -> bytes:
    """Return the chain head after `sealed_event`; recomputable by anybody who has the events, without a key."""
    return hash_fields(_CHAIN_LABEL, previous_head, sealed_event)


def credential_set_digest(record: Record | None) -> bytes:
    """Return the digest (32 bytes) of the credentials that may sign for this record, sorted by id.

    The recovery credential is included, as its own last field; empty where none is effective.
    """
    if record is None:
        return hash_fields(_CREDENTIAL_SET_LABEL, b"")
    ordered = sorted(record.credentials, key=lambda credential: credential.credential_id)
    pairs = [part for credential in ordered for part in (credential.credential_id, credential.cose_key)]
    return hash_fields(_CREDENTIAL_SET_LABEL, *pairs, record.effective_recovery_public_key)


def find_credential(record: Record, credential_id: bytes) -> Credential:
    """Return the credential of this record with that id.

    Raises:
        Refusal: NOT_VERIFIED, unjudged: only who already knows a credential of the record can spend its attempts.
    """
    for credential in record.credentials:
        if credential.credential_id == credential_id:
            return credential
    raise Refusal(Reason.NOT_VERIFIED, detail="unknown credential")


def find_grant(record: Record | None, *, challenge: bytes, operation: Operation, now: Millis) -> Grant | None:
    """Return the grant that answers `challenge` again, if its ceremony has not expired."""
    if record is None:
        return None
    for grant in record.grants:
        if grant.challenge == challenge and grant.operation is operation and now < grant.expires_at:
            return grant
    return None


def find_archive(record: Record, archive_version: int) -> Archive | None:
    """Return the archive of that version, if it is still held."""
    return next((archive for archive in record.archives if archive.archive_version == archive_version), None)
