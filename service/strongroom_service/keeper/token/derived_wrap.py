"""Wrap profile `derived`, for tokens that have HMAC and no AES-GCM.

    key        = KDF(KEK in the token; "strongroom/v1/wrap-key"; fields("strongroom/v1/wrap-key", salt of 32 bytes))
    ciphertext = AES-256-GCM(key; nonce of 12 zeros; AAD of the envelope's place)        KDF: see `derivation`

The salt is drawn for each wrap and kept in place of an IV, so each key encrypts one plaintext and a fixed nonce is
never met twice under it. The KEK stays in the token; the one-time key is in the keeper's memory for this operation.
Whoever reads it there can open that one envelope, which the keeper holds in the clear at the same moment anyway.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.token.errors import RecordSuspect
from strongroom_service.keeper.token.port import IV_BYTES

WRAP_KEY_LABEL: Final = "strongroom/v1/wrap-key"
_NONCE: Final = bytes(IV_BYTES)


def wrap_key_context(salt: bytes) -> bytes:
    """Return the derivation context of the one-time key that belongs to `salt` (32 bytes)."""
    return encode_fields(WRAP_KEY_LABEL, salt)


def encrypt_once(key: bytes, *, plaintext: bytes, aad: bytes) -> bytes:
    """Return ciphertext and tag under a one-time key (32 bytes), which must not encrypt again."""
    return AESGCM(key).encrypt(_NONCE, plaintext, aad)


def decrypt_once(key: bytes, *, ciphertext: bytes, aad: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        RecordSuspect: the tag does not fit: the record is bad, or the token derived another key than it once did.
    """
    try:
        return AESGCM(key).decrypt(_NONCE, ciphertext, aad)
    except InvalidTag as error:
        raise RecordSuspect from error
