"""Ceremonies: what a client asks for, and the statement that a passkey signs for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis

ASSERTION_CEREMONY_SECONDS = 120
REGISTRATION_CEREMONY_SECONDS = 300


@unique
class Operation(Enum):
    """What a ceremony is for."""

    REGISTER = "register"
    STORE = "store"
    RELEASE = "release"
    DELETE = "delete"

    @property
    def ceremony_seconds(self) -> int:
        """How long a ceremony for this operation lives."""
        return REGISTRATION_CEREMONY_SECONDS if self is Operation.REGISTER else ASSERTION_CEREMONY_SECONDS


@unique
class Mode(Enum):
    """How an envelope is locked before it reaches the vault."""

    PRF = "prf"
    VAULT_HELD = "vault_held"


@dataclass(frozen=True, slots=True)
class Register:
    """First passkey of a record that has none. `user_handle` and `recovery_public_key` (Ed25519) are 32 bytes."""

    user_handle: bytes
    mode: Mode
    recovery_public_key: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """A new archive version, filled by whoever knows the secret behind `secret_sha256` (32 bytes)."""

    secret_sha256: bytes
    mode: Mode


@dataclass(frozen=True, slots=True)
class Release:
    """The archive keys, sealed to `recipient` (X25519, 32 bytes)."""

    recipient: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of the vault."""


@dataclass(frozen=True, slots=True)
class CeremonyRequest:
    """What the client wants. `opened_archive_version` is 0 where it has opened none."""

    client_random: bytes
    opened_archive_version: int
    parameters: Register | Store | Release | Delete

    @property
    def operation(self) -> Operation:
        """The operation that the parameters are for."""
        match self.parameters:
            case Register():
                return Operation.REGISTER
            case Store():
                return Operation.STORE
            case Release():
                return Operation.RELEASE
            case Delete():
                return Operation.DELETE


@dataclass(frozen=True, slots=True)
class RecoverySignature:
    """A signature by the recovery credential: Ed25519 public key (32 bytes) and signature (64 bytes)."""

    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """The clear text of what a ceremony is about.

    `request_bytes` are the client's own bytes; `version` and `chain_head` say at which state of the record the ceremony
    began, which is what makes it single-use: every judged attempt raises the version.
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
