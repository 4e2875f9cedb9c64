"""Ceremonies: what a client asks for, and the statement that a passkey signs for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, ClassVar

from strongroom_service.domain.policy import Policy

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis

ASSERTION_CEREMONY_SECONDS = 120
REGISTRATION_CEREMONY_SECONDS = 300


@unique
class Operation(Enum):
    """What changes a record. All but the last five are begun as ceremonies; an addition completes its `attest` too."""

    REGISTER = "register"
    STORE = "store"
    RELEASE = "release"
    DELETE = "delete"
    ATTEST = "attest"
    ADD_CREDENTIAL = "add_credential"
    REMOVE_CREDENTIAL = "remove_credential"
    SET_RECOVERY = "set_recovery"
    REOPEN = "reopen"
    LIFT_QUARANTINE = "lift_quarantine"
    SET_POLICY = "set_policy"
    RESET = "reset"
    ERASE_ACCOUNT = "erase_account"
    CANCEL_ERASE_ACCOUNT = "cancel_erase_account"
    SWEEP = "sweep"
    REWRAP = "rewrap"

    @property
    def ceremony_seconds(self) -> int:
        """How long a ceremony for this operation lives: longer where a person makes a passkey."""
        makes_passkey = self in {Operation.REGISTER, Operation.ATTEST}
        return REGISTRATION_CEREMONY_SECONDS if makes_passkey else ASSERTION_CEREMONY_SECONDS


ORDERS = frozenset({Operation.RESET, Operation.ERASE_ACCOUNT, Operation.CANCEL_ERASE_ACCOUNT})
"""What is done without a ceremony, over a nonce of the caller's."""


@unique
class Mode(Enum):
    """How an envelope is locked before it reaches the vault."""

    PRF = "prf"
    VAULT_HELD = "vault_held"


@unique
class ReopenTarget(Enum):
    """What a reopening is about: what a reset has set aside, or the vault itself, closed once its budget was used."""

    SET_ASIDE = "set_aside"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Register:
    """First passkey of a record that has none. `user_handle` and `recovery_public_key` (Ed25519) are 32 bytes."""

    operation: ClassVar = Operation.REGISTER
    user_handle: bytes
    mode: Mode
    recovery_public_key: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """A new archive version, filled by whoever knows the secret behind `secret_sha256` (32 bytes)."""

    operation: ClassVar = Operation.STORE
    secret_sha256: bytes
    mode: Mode


@dataclass(frozen=True, slots=True)
class Release:
    """The archive keys, sealed to `recipient` (X25519, 32 bytes)."""

    operation: ClassVar = Operation.RELEASE
    recipient: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of the vault."""

    operation: ClassVar = Operation.DELETE


@dataclass(frozen=True, slots=True)
class Attest:
    """A further passkey is made for the account. `user_handle` is 32 bytes."""

    operation: ClassVar = Operation.ATTEST
    user_handle: bytes


@dataclass(frozen=True, slots=True)
class AddCredential:
    """Lets in the passkey of that id, with exactly that COSE key, and replaces the envelope by exactly that one."""

    operation: ClassVar = Operation.ADD_CREDENTIAL
    credential_id: bytes
    cose_key_sha256: bytes
    envelope_sha256: bytes


@dataclass(frozen=True, slots=True)
class RemoveCredential:
    """Takes a passkey out, and replaces every envelope by exactly that one."""

    operation: ClassVar = Operation.REMOVE_CREDENTIAL
    credential_id: bytes
    envelope_sha256: bytes


@dataclass(frozen=True, slots=True)
class SetRecovery:
    """Another recovery credential (Ed25519, 32 bytes), and exactly that envelope."""

    operation: ClassVar = Operation.SET_RECOVERY
    recovery_public_key: bytes
    envelope_sha256: bytes


@dataclass(frozen=True, slots=True)
class Reopen:
    """Brings back what was set aside or closed."""

    operation: ClassVar = Operation.REOPEN
    target: ReopenTarget


@dataclass(frozen=True, slots=True)
class LiftQuarantine:
    """Trusts a quarantined passkey again."""

    operation: ClassVar = Operation.LIFT_QUARANTINE
    credential_id: bytes


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """Other limits for the record."""

    operation: ClassVar = Operation.SET_POLICY
    policy: Policy


Parameters = (
    Register
    | Store
    | Release
    | Delete
    | Attest
    | AddCredential
    | RemoveCredential
    | SetRecovery
    | Reopen
    | LiftQuarantine
    | SetPolicy
)


@dataclass(frozen=True, slots=True)
class CeremonyRequest:
    """What the client wants. `opened_archive_version` is 0 where it has opened none."""

    client_random: bytes
    opened_archive_version: int
    parameters: Parameters

    @property
    def operation(self) -> Operation:
        """The operation that the parameters are for."""
        return self.parameters.operation

    @property
    def is_about_set_aside(self) -> bool:
        """Whether the life that a reset has set aside is meant, not the one in use."""
        return isinstance(self.parameters, Reopen) and self.parameters.target is ReopenTarget.SET_ASIDE


@dataclass(frozen=True, slots=True)
class RecoverySignature:
    """A signature by the recovery credential: Ed25519 public key (32 bytes) and signature (64 bytes)."""

    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """The clear text of what a ceremony is about.

    `request_bytes` are the client's own bytes; `version` and `chain_head` say at which state of the record the ceremony
    began, which is what makes it single-use: every judged attempt raises the version. The last two tell, where
    something is pending, when what a reset has set aside and the whole account will be erased.
    """

    request: CeremonyRequest
    request_bytes: bytes
    tenant: str
    account: str
    version: int
    chain_head: bytes
    credential_set_sha256: bytes
    mode: Mode
    rp_id: str
    origins: tuple[str, ...]
    seal_epoch: int
    expires_at: Millis
    keeper_random: bytes
    set_aside_erase_at: Millis | None = None
    account_erase_at: Millis | None = None
