"""Signatures of the vault's identity keys: ECDSA P-256, r || s (64 bytes), over a SHA-256 digest.

fingerprint = SHA-256 of fields("strongroom/v1/identity-key", uncompressed point): what clients pin
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_client.fields import hash_fields

_IDENTITY_LABEL = "strongroom/v1/identity-key"
_SCALAR_BYTES = 32


class WrongSignature(Exception):
    """A signature does not verify. Never leaves `verification`: callers say what was signed."""


def identity_fingerprint(public_key: bytes) -> bytes:
    """Return the fingerprint (32 bytes) of an identity key (uncompressed point, 65 bytes)."""
    return hash_fields(_IDENTITY_LABEL, public_key)


def check_signature(signature: bytes, *, digest: bytes, public_key: bytes) -> None:
    """Check `signature` over `digest` (32 bytes) by `public_key` (uncompressed point, 65 bytes).

    Raises:
        WrongSignature: it is not one, or the key is no point of P-256.
    """
    if len(signature) != 2 * _SCALAR_BYTES:
        raise WrongSignature
    r, s = (int.from_bytes(half, "big") for half in (signature[:_SCALAR_BYTES], signature[_SCALAR_BYTES:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
    except (InvalidSignature, ValueError):
        raise WrongSignature from None
