"""age X25519 identities and recipients as typed values (age-encryption.org/v1, "The X25519 recipient type").

An identity is 32 secret bytes, written in Bech32 as `AGE-SECRET-KEY-1...`; its recipient is the X25519 public key,
written as `age1...`. Any 32 bytes are a valid identity: X25519 clamps them when they are used (RFC 7748, section 5).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import bech32
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_BYTES = 32
_IDENTITY_PREFIX = "age-secret-key-"
_RECIPIENT_PREFIX = "age"
_BYTE_BITS = 8
_BECH32_BITS = 5


class AgeKeyError(ValueError):
    """Text is not an age X25519 identity or recipient. The message never repeats the text."""


@dataclass(frozen=True, slots=True)
class ArchiveIdentity:
    """An age X25519 identity: the secret that opens what is encrypted to its recipient. Hidden in repr and str.

    Attributes:
        secret: 32 bytes.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a secret of the wrong length.

        Raises:
            AgeKeyError: it is not 32 bytes.
        """
        if len(self.secret) != KEY_BYTES:
            message = f"an age identity is {KEY_BYTES} bytes, not {len(self.secret)}"
            raise AgeKeyError(message)

    def reveal(self) -> str:
        """Return the secret as `AGE-SECRET-KEY-1...`, for an identity file or an age tool."""
        return _encode(_IDENTITY_PREFIX, self.secret).upper()


def generate_identity() -> ArchiveIdentity:
    """Return a fresh identity from the system's random numbers."""
    return ArchiveIdentity(secrets.token_bytes(KEY_BYTES))


def identity_from_seed(seed: bytes) -> ArchiveIdentity:
    """Return the identity whose secret is `seed` (32 uniformly distributed bytes).

    Raises:
        AgeKeyError: `seed` is not 32 bytes.
    """
    return ArchiveIdentity(seed)


def parse_identity(text: str) -> ArchiveIdentity:
    """Read `AGE-SECRET-KEY-1...`; the inverse of `ArchiveIdentity.reveal`.

    Raises:
        AgeKeyError: the text is not one.
    """
    return ArchiveIdentity(_decode(_IDENTITY_PREFIX, text.strip()))


def recipient_of(identity: ArchiveIdentity) -> str:
    """Return the recipient `age1...` that `identity` opens."""
    return encode_recipient(X25519PrivateKey.from_private_bytes(identity.secret).public_key().public_bytes_raw())


def encode_recipient(public_key: bytes) -> str:
    """Write an X25519 public key (32 bytes) as `age1...`.

    Raises:
        AgeKeyError: it is not 32 bytes.
    """
    if len(public_key) != KEY_BYTES:
        message = f"an age recipient is {KEY_BYTES} bytes, not {len(public_key)}"
        raise AgeKeyError(message)
    return _encode(_RECIPIENT_PREFIX, public_key)


def decode_recipient(recipient: str) -> bytes:
    """Return the X25519 public key (32 bytes) in `age1...`; the inverse of `encode_recipient`.

    Raises:
        AgeKeyError: the text is not an age X25519 recipient.
    """
    return _decode(_RECIPIENT_PREFIX, recipient)


def _encode(prefix: str, key: bytes) -> str:
    data = bech32.convertbits(key, _BYTE_BITS, _BECH32_BITS)
    if data is None:
        message = "bytes cannot be written in Bech32"
        raise AgeKeyError(message)
    return bech32.bech32_encode(prefix, data)


def _decode(expected_prefix: str, text: str) -> bytes:
    prefix, data = bech32.bech32_decode(text)
    if data is None or prefix != expected_prefix:
        message = f"text is not Bech32 with the prefix {expected_prefix!r}"
        raise AgeKeyError(message)
    # Padding must be zero bits (BIP 173), so that a key has one spelling only.
    key = bech32.convertbits(data, _BECH32_BITS, _BYTE_BITS, pad=False)
    if key is None or len(key) != KEY_BYTES:
        message = f"text does not hold {KEY_BYTES} bytes"
        raise AgeKeyError(message)
    return bytes(key)
