"""Keys of the vault's owners, people who never give them to the service: Ed25519 or P-256.

    fingerprint = SHA-256 of fields("strongroom/v1/owner-key", SubjectPublicKeyInfo as DER)

Both kinds sign a digest of 32 bytes: Ed25519 takes it as the message, ECDSA as the hash; a signature has 64 bytes.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_client.fields import hash_fields
from strongroom_client.verification.signatures import WrongSignature, check_signature

SIGNATURE_BYTES = 64
_LABEL = "strongroom/v1/owner-key"
_WRONG = "an owner's key is an Ed25519 or P-256 public key"


def owner_key_of_pem(pem: bytes) -> bytes:
    """Return the key in a PEM file as what clients pin: SubjectPublicKeyInfo, DER, an EC point uncompressed.

    Raises:
        ValueError: it is none of an owner's.
    """
    try:
        return _encoded(serialization.load_pem_public_key(pem))
    except UnsupportedAlgorithm:
        raise ValueError(_WRONG) from None


def require_owner_key(encoded: bytes) -> None:
    """Check that `encoded` is an owner's key, in its one encoding: two spellings of one key are not two owners.

    Raises:
        ValueError: it is not.
    """
    try:
        key = serialization.load_der_public_key(encoded)
    except UnsupportedAlgorithm:
        raise ValueError(_WRONG) from None
    if _encoded(key) != encoded:
        raise ValueError(_WRONG)


def owner_fingerprint(encoded: bytes) -> bytes:
    """Return the fingerprint (32 bytes) of an owner's key."""
    return hash_fields(_LABEL, encoded)


def check_owner_signature(signature: bytes, *, digest: bytes, encoded: bytes) -> None:
    """Check an owner's signature over `digest` (32 bytes).

    Raises:
        WrongSignature: it is not one by this key.
    """
    key = serialization.load_der_public_key(encoded)
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        check_signature(signature, digest=digest, public_key=point)
        return
    if not isinstance(key, Ed25519PublicKey) or len(signature) != SIGNATURE_BYTES:
        raise WrongSignature
    try:
        key.verify(signature, digest)
    except InvalidSignature:
        raise WrongSignature from None


def _encoded(key: object) -> bytes:
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise ValueError(_WRONG)
