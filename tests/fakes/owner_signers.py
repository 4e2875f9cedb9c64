"""Owners' signatures of key bundles by a plain reading of the protocol's description, with nothing of ours."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.v1 import resources_pb2
from tests.fakes import plain_protocol

OwnerKey: TypeAlias = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

ADA = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
GRACE = ec.derive_private_key(11, ec.SECP256R1())
EVE = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
FIRST = b""


def pinned(*keys: OwnerKey) -> frozenset[bytes]:
    """What a client pins of these owners' keys."""
    return frozenset(public_key_of(key) for key in keys)


def public_key_of(key: OwnerKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def owners_sign(bundle: bytes, *keys: OwnerKey, previous: bytes = FIRST) -> resources_pb2.SignedKeyBundle:
    """Sign a serialized bundle after the serialized one before it."""
    digest = plain_protocol.owners_digest(bundle=bundle, previous=previous)
    return resources_pb2.SignedKeyBundle(
        bundle=bundle,
        signatures=[
            resources_pb2.BundleSignature(
                fingerprint=plain_protocol.owner_fingerprint(public_key=public_key_of(key)),
                signature=_signature(key, digest),
            )
            for key in keys
        ],
    )


def digest_of(bundle: resources_pb2.SignedKeyBundle) -> bytes:
    return hashlib.sha256(bundle.bundle).digest()


def _signature(key: OwnerKey, digest: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(digest)
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
