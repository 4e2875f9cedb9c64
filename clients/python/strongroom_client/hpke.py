"""HPKE (RFC 9180), base mode, both ways: envelopes to the vault, replies to this client.

Suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Sealed bytes are enc (32) || ciphertext.

    info = fields("strongroom/v1/hpke", direction, suite, challenge)

Each sealed message thus belongs to one ceremony and one direction.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from strongroom_client.errors import ReplyMismatch
from strongroom_client.fields import encode_fields

SUITE_ID: Final = 1
_LABEL = "strongroom/v1/hpke"
_TO_KEEPER = b"to-keeper"
_TO_CLIENT = b"to-client"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal_to_vault(plaintext: bytes, *, transport_key: bytes, challenge: bytes) -> bytes:
    """Seal `plaintext` to a transport key of the vault (X25519, 32 bytes) for the ceremony of `challenge`."""
    public_key = X25519PublicKey.from_public_bytes(transport_key)
    return _SUITE.encrypt(plaintext, public_key, info=_info(_TO_KEEPER, challenge))


def open_from_vault(sealed: bytes, *, private_key: X25519PrivateKey, challenge: bytes) -> bytes:
    """Open what the vault sealed to this ceremony's recipient key.

    Raises:
        ReplyMismatch: it was sealed to another key, for another ceremony, or altered.
    """
    try:
        return _SUITE.decrypt(sealed, private_key, info=_info(_TO_CLIENT, challenge))
    except (InvalidTag, ValueError):
        raise ReplyMismatch("the released envelopes are not sealed to this request") from None


def _info(direction: bytes, challenge: bytes) -> bytes:
    return encode_fields(_LABEL, direction, SUITE_ID, challenge)
