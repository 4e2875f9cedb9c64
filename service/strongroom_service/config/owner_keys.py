"""Owners' keys: Ed25519 or P-256 keys of people, in PEM files, that no process of the service ever reads.

    fingerprint = SHA-256 of fields("strongroom/v1/owner-key", SubjectPublicKeyInfo as DER)

Both kinds sign a digest of 32 bytes: Ed25519 takes it as the message, ECDSA as the hash; a signature has 64 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_service.config.secret_file import read_secret
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from pathlib import Path

OwnerPrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
OwnerPublicKey = Ed25519PublicKey | EllipticCurvePublicKey

SIGNATURE_BYTES: Final = 64
_HALF: Final = SIGNATURE_BYTES // 2
_MAX_PEM_BYTES: Final = 4_096
_LABEL: Final = "strongroom/v1/owner-key"
_KINDS: Final = "an Ed25519 or P-256 key in PEM without a passphrase"


class WrongSignature(Exception):
    """The signature is not this key's over this digest."""


def read_owner_key(path: Path) -> OwnerPrivateKey:
    """Read an owner's private key.

    Raises:
        Misconfigured: the file is not its owner's alone, or holds no such key; the message shows nothing of it.
    """
    content = read_secret(path, name="key file", reader="the owner", limit=_MAX_PEM_BYTES)
    try:
        key = serialization.load_pem_private_key(content.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # their texts may quote the content
        raise Misconfigured(f"key file {path} must hold {_KINDS}") from None
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise Misconfigured(f"key file {path} must hold {_KINDS}")


def read_owner_public_key(path: Path) -> OwnerPublicKey:
    """Read an owner's public key, PEM.

    Raises:
        Misconfigured: the file cannot be read or holds no such key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_PEM_BYTES + 1)
        key = serialization.load_pem_public_key(content)
    except OSError as error:
        raise Misconfigured(f"owner key {path} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm):
        raise Misconfigured(f"owner key {path} must hold an Ed25519 or P-256 public key in PEM") from None
    return _fit(key, what=f"owner key {path}")


def parse_public_key(encoded: bytes) -> OwnerPublicKey:
    """Return the key of a SubjectPublicKeyInfo, DER, in its one encoding.

    Raises:
        Misconfigured: it is none of an owner's.
    """
    try:
        key = _fit(serialization.load_der_public_key(encoded), what="an owner's public key")
    except (ValueError, UnsupportedAlgorithm):
        raise Misconfigured("an owner's public key does not parse") from None
    if encode_public_key(key) != encoded:
        raise Misconfigured("an owner's public key is not in its one encoding")
    return key


def encode_public_key(key: OwnerPublicKey) -> bytes:
    """Return the key's SubjectPublicKeyInfo, DER, an EC point uncompressed."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def owner_fingerprint(key: OwnerPublicKey) -> bytes:
    """Return what clients pin (32 bytes) of an owner's key."""
    return hash_fields(_LABEL, encode_public_key(key))


def sign_digest(key: OwnerPrivateKey, digest: bytes) -> bytes:
    """Return the signature (64 bytes) of a digest (32 bytes)."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(digest)
    r, s = decode_dss_signature(key.sign(digest, ECDSA(Prehashed(SHA256()))))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def check_digest(key: OwnerPublicKey, digest: bytes, signature: bytes) -> None:
    """Check a signature (64 bytes) of a digest (32 bytes).

    Raises:
        WrongSignature: it is not this key's over this digest.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise WrongSignature
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, digest)
            return
        r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
        key.verify(encode_dss_signature(r, s), digest, ECDSA(Prehashed(SHA256())))
    except (InvalidSignature, ValueError):
        raise WrongSignature from None


def _fit(key: object, *, what: str) -> OwnerPublicKey:
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise Misconfigured(f"{what} must be an Ed25519 or P-256 public key")
