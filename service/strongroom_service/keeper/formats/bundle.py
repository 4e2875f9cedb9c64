"""The key bundle: the vault's public keys for at most 30 days, signed by the identity key that clients pin.

    digest = SHA-256 of fields("strongroom/v1/key-bundle", serialized KeyBundle)

A bundle never introduces an identity key: until owners' keys exist, clients take identity keys from their own
configuration only. Serials rise; clients refuse a lower one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from strongroom.v1 import resources_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.fields import hash_fields
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from strongroom_service.keeper.formats.statement import timestamp_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.keeper.token.port import Token

VALIDITY_MS = 30 * 24 * 3600 * 1000
RENEWAL_AGE_MS = 24 * 3600 * 1000
_CLOCK_TOLERANCE_MS = 5 * 60 * 1000
_BUNDLE_LABEL = "strongroom/v1/key-bundle"
_TRANSPORT_ID_LABEL = "strongroom/v1/transport-key-id"
_TRANSPORT_ID_BYTES = 16


def transport_key_id(public_key: bytes) -> bytes:
    """Return the id (16 bytes) of a transport key (X25519, 32 bytes)."""
    return hash_fields(_TRANSPORT_ID_LABEL, public_key)[:_TRANSPORT_ID_BYTES]


def bundle_digest(bundle: bytes) -> bytes:
    """Return the digest (32 bytes) that signatures of a serialized bundle are over."""
    return hash_fields(_BUNDLE_LABEL, bundle)


def make_bundle(
    token: Token,
    *,
    serial: int,
    previous: bytes,
    transport_keys: Sequence[bytes],
    identity_keys: Sequence[bytes],
    identity_epoch: int,
    now: Millis,
) -> resources_pb2.SignedKeyBundle:
    """Make and sign the bundle that follows the serialized bundle `previous` (empty for the first).

    It begins a little before `now`, so that a client whose clock is behind can use it at once.
    """
    not_before = Millis(now - _CLOCK_TOLERANCE_MS)
    bundle = resources_pb2.KeyBundle(
        serial=serial,
        not_before_time=timestamp_of(not_before),
        not_after_time=timestamp_of(Millis(not_before + VALIDITY_MS)),
        transport_keys=[
            resources_pb2.TransportKey(
                key_id=transport_key_id(key),
                suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
                public_key=key,
            )
            for key in transport_keys
        ],
        identity_keys=[
            resources_pb2.IdentityKey(fingerprint=identity_fingerprint(key), public_key=key) for key in identity_keys
        ],
        previous_bundle_sha256=hashlib.sha256(previous).digest() if previous else bytes(32),
    ).SerializeToString(deterministic=True)
    signature = token.sign(epoch=identity_epoch, digest=bundle_digest(bundle))
    signer = token.identity_public_key(epoch=identity_epoch)
    return resources_pb2.SignedKeyBundle(
        bundle=bundle,
        signatures=[resources_pb2.BundleSignature(fingerprint=identity_fingerprint(signer), signature=signature)],
    )


def is_due(signed: resources_pb2.SignedKeyBundle, *, now: Millis) -> bool:
    """Tell whether a bundle is old enough to be followed by a new one."""
    bundle = resources_pb2.KeyBundle.FromString(signed.bundle)
    return now - bundle.not_before_time.ToMilliseconds() > RENEWAL_AGE_MS + _CLOCK_TOLERANCE_MS


def serial_of(signed: resources_pb2.SignedKeyBundle) -> int:
    """Return the serial of a bundle."""
    return resources_pb2.KeyBundle.FromString(signed.bundle).serial
