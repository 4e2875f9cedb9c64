"""The keys of a vault in software, and what they sign: receipts and key bundles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.v1 import resources_pb2
from strongroom_client.fields import hash_fields

_DAY_MS = 24 * 3600 * 1000
_RECEIPT = "strongroom/v1/receipt/"


@dataclass(frozen=True)
class FakeVaultKeys:
    """An identity key and a transport key."""

    identity: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    transport: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def identity_public_key(self) -> bytes:
        return self.identity.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def fingerprint(self) -> bytes:
        return hash_fields("strongroom/v1/identity-key", self.identity_public_key)

    def bundle(self, *, serial: int, now: int) -> resources_pb2.SignedKeyBundle:
        public_key = self.transport.public_key().public_bytes_raw()
        bundle = resources_pb2.KeyBundle(
            serial=serial,
            not_before_time=timestamp(now - 1_000),
            not_after_time=timestamp(now + 29 * _DAY_MS),
            transport_keys=[
                resources_pb2.TransportKey(
                    key_id=hash_fields("strongroom/v1/transport-key-id", public_key)[:16],
                    suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
                    public_key=public_key,
                )
            ],
            identity_keys=[
                resources_pb2.IdentityKey(fingerprint=self.fingerprint, public_key=self.identity_public_key)
            ],
            previous_bundle_sha256=bytes(32),
        )
        return self.sign_bundle(bundle)

    def sign_bundle(self, bundle: resources_pb2.KeyBundle) -> resources_pb2.SignedKeyBundle:
        serialized = bundle.SerializeToString()
        signature = self.sign(hash_fields("strongroom/v1/key-bundle", serialized))
        return resources_pb2.SignedKeyBundle(
            bundle=serialized,
            signatures=[resources_pb2.BundleSignature(fingerprint=self.fingerprint, signature=signature)],
        )

    def sign(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(self.identity.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def receipt(self, rpc: str, *, challenge: bytes, reply: bytes, version: int, head: bytes) -> resources_pb2.Receipt:
        digest = hash_fields(_RECEIPT + rpc, challenge, hashlib.sha256(reply).digest(), version, head)
        return resources_pb2.Receipt(
            signature=self.sign(digest), identity_fingerprint=self.fingerprint, version=version, chain_head=head
        )


def timestamp(at: int) -> Timestamp:
    return Timestamp(seconds=at // 1_000, nanos=at % 1_000 * 1_000_000)
