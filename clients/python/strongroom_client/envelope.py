"""The envelope: the client's archive identities, locked by the client before the vault sees them.

Its first byte tells the mode:

- `prf` (default): 0x61, since the envelope is an age file and begins with `age-encryption.org/v1`. Encrypted to one
  X25519 recipient per passkey, and to the recovery recipient; plaintext in envelope_content.py.
- `vault_held`: 0x01, then the same content in clear. Its only lock is the vault. Written and read by functions of
  their own, so that no caller accepts it by accident.

A passkey's age identity is HKDF-SHA256 (RFC 5869) of its PRF output, no salt, 32 bytes,
info = encode_fields("strongroom/v1/passkey-wrap", credential id). The PRF input is the constant `PRF_INPUT`.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom_client.age_file import AgeFileDamaged, NoMatchingIdentity, decrypt_bytes, encrypt_bytes
from strongroom_client.age_keys import KEY_BYTES, ArchiveIdentity, identity_from_seed
from strongroom_client.envelope_content import (
    EnvelopeContent,
    EnvelopeCorrupt,
    EnvelopeError,
    decode_content,
    encode_content,
)
from strongroom_client.fields import encode_fields, hash_fields

MAX_ENVELOPE_BYTES: Final = 16 * 1024
PRF_OUTPUT_BYTES: Final = 32
PRF_INPUT: Final = hash_fields("strongroom/v1/prf-input")
"""SHA-256 of the encoded label, 32 bytes: `prf.eval.first` of every assertion (WebAuthn Level 3, section 10.1.4)."""

_WRAP_LABEL = "strongroom/v1/passkey-wrap"
_AGE_FIRST_BYTE = b"a"
_VAULT_HELD_FIRST_BYTE = b"\x01"


class EnvelopeTooLarge(EnvelopeError):
    """The envelope would exceed, or exceeds, the vault's 16 KiB; fewer old identities or passkeys make it fit."""


class WrongPrf(EnvelopeError):
    """The identity does not open this envelope: this passkey's PRF gave another value than when it was added.

    The vault released it, so no attempt was lost. An alteration inside the age recipient stanzas looks the same; the
    release itself is authenticated before it comes here.
    """


class WrongEnvelopeMode(EnvelopeError):
    """The envelope is of another mode than the caller expects."""


def passkey_identity(*, prf_output: bytes, credential_id: bytes) -> ArchiveIdentity:
    """Return the age identity of a passkey from its PRF output (32 bytes) for `PRF_INPUT`.

    Raises:
        ValueError: `prf_output` is not 32 bytes.
    """
    if len(prf_output) != PRF_OUTPUT_BYTES:
        message = f"a PRF output is {PRF_OUTPUT_BYTES} bytes, not {len(prf_output)}"
        raise ValueError(message)
    info = encode_fields(_WRAP_LABEL, credential_id)
    return identity_from_seed(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(prf_output))


def seal_envelope(content: EnvelopeContent) -> bytes:
    """Return `content` encrypted to each of its passkeys and its recovery recipient, mode `prf`.

    Raises:
        EnvelopeTooLarge: more than 16 KiB.
    """
    return _checked_size(encrypt_bytes(encode_content(content), recipients=content.recipients()))


def open_envelope(envelope: bytes, *, identity: ArchiveIdentity) -> EnvelopeContent:
    """Return the content of an envelope of mode `prf`, with a passkey's or the recovery key's identity.

    Raises:
        WrongPrf: `identity` does not open it.
        WrongEnvelopeMode: it is not of mode `prf`.
        EnvelopeCorrupt: altered, cut short, or with content of another format.
        EnvelopeTooLarge: more than 16 KiB.
    """
    _require_mode(envelope, _AGE_FIRST_BYTE)
    try:
        content = decrypt_bytes(envelope, identities=[identity])
    except NoMatchingIdentity:
        message = "this identity does not open the envelope"
        raise WrongPrf(message) from None
    except AgeFileDamaged:
        message = "the envelope is not a whole age file"
        raise EnvelopeCorrupt(message) from None
    return decode_content(content)


def encode_vault_held_envelope(content: EnvelopeContent) -> bytes:
    """Return `content` in clear, mode `vault_held`: whoever gets past the vault has the archive identities.

    Raises:
        EnvelopeTooLarge: more than 16 KiB.
    """
    return _checked_size(_VAULT_HELD_FIRST_BYTE + encode_content(content))


def decode_vault_held_envelope(envelope: bytes) -> EnvelopeContent:
    """Return the content of an envelope of mode `vault_held`; only for an account that chose that mode.

    Raises:
        WrongEnvelopeMode: it is not of mode `vault_held`.
        EnvelopeCorrupt: content of another format.
        EnvelopeTooLarge: more than 16 KiB.
    """
    _require_mode(envelope, _VAULT_HELD_FIRST_BYTE)
    return decode_content(envelope[len(_VAULT_HELD_FIRST_BYTE) :])


def _require_mode(envelope: bytes, first_byte: bytes) -> None:
    _checked_size(envelope)
    if not envelope.startswith(first_byte):
        message = "the envelope is of another mode than expected"
        raise WrongEnvelopeMode(message)


def _checked_size(envelope: bytes) -> bytes:
    if len(envelope) > MAX_ENVELOPE_BYTES:
        message = f"an envelope has at most {MAX_ENVELOPE_BYTES} bytes, this one {len(envelope)}"
        raise EnvelopeTooLarge(message)
    return envelope
