"""Sealing of records, events and the vault row under one-time keys.

    sealed = format (1 byte, 1) || seal epoch (u32) || salt (32 bytes) || AES-256-GCM ciphertext and tag
    key    = SP 800-108 in the token, seal key of the epoch; label "strongroom/v1/seal-key", context of the salt
    nonce  = 0 for a record or the vault row, 1 for the event of the same change
    AAD    = fields(label of the kind, format, epoch, salt, record id, version)

Each change draws its own salt, so a key seals one record and one event and no nonce repeats. Plaintexts are padded to
steps of 1 KiB (u32 length, data, zeros): who reads the database learns a size class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.token.port import KeyPurpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.keeper.token.port import Token

FORMAT = 1
SALT_BYTES = 32
PADDING_STEP_BYTES = 1024
MAX_PLAINTEXT_BYTES = 192 * 1024
"""Above what the largest record takes: two lives of 16 passkeys and two envelopes each, and the grants of one."""

_EPOCH_BYTES = 4
_LENGTH_BYTES = 4
_HEADER_BYTES = 1 + _EPOCH_BYTES + SALT_BYTES
_TAG_BYTES = 16
_KEY_LABEL = "strongroom/v1/seal-key"


@unique
class Kind(Enum):
    """What is sealed: its AAD label and its nonce."""

    RECORD = ("strongroom/v1/seal-record", 0)
    EVENT = ("strongroom/v1/seal-event", 1)
    VAULT = ("strongroom/v1/seal-vault", 0)

    def __init__(self, label: str, nonce: int) -> None:
        self.label = label
        self.nonce = nonce.to_bytes(12, "big")


@dataclass(frozen=True, slots=True)
class Header:
    """The clear part of a sealed form."""

    epoch: int
    salt: bytes


def parse_header(sealed: bytes) -> Header:
    """Return the header of `sealed`.

    Raises:
        RecordRejected: it is too short, of a format that this release does not know, or names no epoch.
    """
    if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[0] != FORMAT:
        message = "not a sealed form of a format known here"
        raise RecordRejected(message)
    epoch = int.from_bytes(sealed[1 : 1 + _EPOCH_BYTES], "big")
    if epoch < 1:
        message = "a sealed form of no epoch"
        raise RecordRejected(message)
    return Header(epoch=epoch, salt=sealed[1 + _EPOCH_BYTES : _HEADER_BYTES])


@dataclass(frozen=True, slots=True)
class OneTimeKey:
    """The key of one change: seals one record (or vault row) and one event."""

    epoch: int
    salt: bytes
    key: bytes = field(repr=False)

    def seal(self, kind: Kind, *, record_id: bytes, version: int, plaintext: bytes) -> bytes:
        """Return the sealed form of `plaintext` for this record id and version."""
        aad = _aad(kind, epoch=self.epoch, salt=self.salt, record_id=record_id, version=version)
        ciphertext = AESGCM(self.key).encrypt(kind.nonce, _pad(plaintext), aad)
        return bytes((FORMAT,)) + self.epoch.to_bytes(_EPOCH_BYTES, "big") + self.salt + ciphertext

    def open(self, kind: Kind, *, record_id: bytes, version: int, sealed: bytes) -> bytes:
        """Return the plaintext of `sealed`.

        Raises:
            RecordRejected: it was not sealed as this kind, for this record id and version, under this key.
        """
        aad = _aad(kind, epoch=self.epoch, salt=self.salt, record_id=record_id, version=version)
        try:
            padded = AESGCM(self.key).decrypt(kind.nonce, sealed[_HEADER_BYTES:], aad)
        except InvalidTag:
            message = f"a sealed {kind.name.lower()} does not open at version {version}"
            raise RecordRejected(message) from None
        return _unpad(padded)


def derive_one_time_key(token: Token, header: Header) -> OneTimeKey:
    """Derive the one-time key of `header` in the token."""
    context = encode_fields(_KEY_LABEL, header.salt)
    key = token.derive(purpose=KeyPurpose.SEAL, epoch=header.epoch, label=_KEY_LABEL, context=context)
    return OneTimeKey(epoch=header.epoch, salt=header.salt, key=key)


def draw_one_time_key(token: Token, *, epoch: int, random: Callable[[int], bytes]) -> OneTimeKey:
    """Derive a key that was never used: its salt is drawn now."""
    return derive_one_time_key(token, Header(epoch=epoch, salt=random(SALT_BYTES)))


def _aad(kind: Kind, *, epoch: int, salt: bytes, record_id: bytes, version: int) -> bytes:
    return encode_fields(kind.label, FORMAT, epoch, salt, record_id, version)


def _pad(plaintext: bytes) -> bytes:
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        message = f"a plaintext of {len(plaintext)} bytes is larger than what is ever sealed"
        raise ValueError(message)
    framed = len(plaintext).to_bytes(_LENGTH_BYTES, "big") + plaintext
    return framed + bytes(-len(framed) % PADDING_STEP_BYTES)


def _unpad(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    plaintext = padded[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(padded) % PADDING_STEP_BYTES or _pad(plaintext) != padded:
        message = "a sealed form holds a wrongly padded plaintext"
        raise RecordRejected(message)
    return plaintext
