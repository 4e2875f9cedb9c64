"""Key bundles: the vault's public keys for at most 30 days, believed for a pinned identity key's signature only.

    digest = SHA-256 of fields("strongroom/v1/key-bundle", serialized KeyBundle)
    transport key id = first 16 bytes of SHA-256 of fields("strongroom/v1/transport-key-id", public key)

A bundle that an identity key signed never introduces another: it brings the public key for a fingerprint that counts
already. Serials count per fingerprint, and a lower one is refused: an old bundle may name a transport key that was lost
since. What two owners have signed may introduce one: owner_bundles.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from strongroom.v1 import resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import BundleInvalid, NotProven, UnpinnedVault
from strongroom_client.fields import hash_fields
from strongroom_client.timestamps import millis_of
from strongroom_client.verification.owner_keys import require_owner_key
from strongroom_client.verification.signatures import WrongSignature, check_signature, identity_fingerprint

FINGERPRINT_BYTES = 32
MAX_VALIDITY_MS = 30 * 24 * 3600 * 1000
_KEY_BYTES = 32
_TRANSPORT_ID_BYTES = 16
_BUNDLE_LABEL = "strongroom/v1/key-bundle"
_TRANSPORT_ID_LABEL = "strongroom/v1/transport-key-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which identity keys count: those in `pins` (fingerprints, 32 bytes), or with `unpinned` whichever a bundle names.

    With `owners` (public keys, DER, as `owner_key_of_pem` gives them) those that two of these have signed for; then
    `pins` count only until these have.

    Raises:
        UnpinnedVault: neither, or both.
        ValueError: a pin is not 32 bytes, an owner's key is none, or there is but one.
    """

    pins: frozenset[bytes]
    unpinned: bool = False
    owners: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        if self.unpinned == bool(self.pins or self.owners):
            raise UnpinnedVault("pin the vault's owners or an identity key, or say that it is to be used unpinned")
        if any(len(pin) != FINGERPRINT_BYTES for pin in self.pins):
            raise ValueError(f"a pin is {FINGERPRINT_BYTES} bytes")
        if len(self.owners) == 1:
            raise ValueError("one owner's word is not enough: pin two or more, each with another key")
        for encoded in self.owners:
            require_owner_key(encoded)

    def counts(self, fingerprint: bytes) -> bool:
        """Whether signatures of the identity key with this fingerprint count, by the pins alone."""
        return self.unpinned or fingerprint in self.pins

    def may_count(self, fingerprint: bytes) -> bool:
        """Whether they may count by now: the owners can have signed for it."""
        return bool(self.owners) or self.counts(fingerprint)


@dataclass(frozen=True, slots=True)
class SeenBundle:
    """Serial and SHA-256 of the newest bundle that an identity key has signed for this device."""

    serial: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """What a checked bundle gives.

    Attributes:
        seen: its serial and SHA-256, to be remembered for each of `signers`.
        signers: fingerprints, of keys that count, that signed it.
        identity_keys: by fingerprint, the public keys that count.
        transport_key: X25519, 32 bytes: seal to it.
        transport_key_id: 16 bytes.
        not_after: end of its validity, unix milliseconds.
    """

    seen: SeenBundle
    signers: tuple[bytes, ...]
    identity_keys: Mapping[bytes, bytes]
    transport_key: bytes
    transport_key_id: bytes
    not_after: Millis


def bundle_digest(bundle: bytes) -> bytes:
    """Return the digest (32 bytes) that signatures of a serialized bundle are over."""
    return hash_fields(_BUNDLE_LABEL, bundle)


def transport_key_id(public_key: bytes) -> bytes:
    """Return the id (16 bytes) of a transport key (X25519, 32 bytes)."""
    return hash_fields(_TRANSPORT_ID_LABEL, public_key)[:_TRANSPORT_ID_BYTES]


def verify_bundle(
    signed: resources_pb2.SignedKeyBundle, *, trust: Trust, seen: Mapping[bytes, SeenBundle], now: Millis
) -> VerifiedBundle:
    """Check a bundle against `trust`, the bundles `seen` so far (by fingerprint) and the time.

    Raises:
        BundleInvalid: unsigned by a key that counts, not of this time, older than one seen, or malformed.
    """
    try:
        bundle = resources_pb2.KeyBundle.FromString(signed.bundle)
    except DecodeError:
        raise BundleInvalid("the key bundle does not parse") from None
    identity_keys = _identity_keys(bundle, trust)
    signers = _check_signatures(signed, identity_keys)
    not_after = check_time(bundle, now=now, whose="the key bundle", otherwise=BundleInvalid)
    this = SeenBundle(bundle.serial, hashlib.sha256(signed.bundle).digest())
    for signer in signers:
        _check_serial(this, seen.get(signer))
    transport_key = _transport_key(bundle)
    return VerifiedBundle(
        seen=this,
        signers=signers,
        identity_keys=identity_keys,
        transport_key=transport_key,
        transport_key_id=transport_key_id(transport_key),
        not_after=not_after,
    )


def listed_identity_keys(bundle: resources_pb2.KeyBundle, *, otherwise: type[NotProven]) -> Mapping[bytes, bytes]:
    """Return a bundle's identity keys by fingerprint.

    Raises:
        otherwise: one is listed under a fingerprint that is not its own.
    """
    keys = {key.fingerprint: key.public_key for key in bundle.identity_keys}
    if any(identity_fingerprint(public_key) != fingerprint for fingerprint, public_key in keys.items()):
        raise otherwise("an identity key is listed under another key's fingerprint")
    return keys


def check_time(bundle: resources_pb2.KeyBundle, *, now: Millis, whose: str, otherwise: type[NotProven]) -> Millis:
    """Return the end of a bundle's validity.

    Raises:
        otherwise: it is not valid now, or claims to be so for more than 30 days.
    """
    not_before = millis_of(bundle.not_before_time, otherwise=otherwise)
    not_after = millis_of(bundle.not_after_time, otherwise=otherwise)
    if not 0 < not_after - not_before <= MAX_VALIDITY_MS:
        raise otherwise(f"{whose} claims to be valid for more than 30 days")
    if now < not_before:
        raise otherwise(f"{whose} is not valid yet; is this device's clock right?")
    if now > not_after:
        raise otherwise(f"{whose} is not valid any more; is this device's clock right?")
    return not_after


def _identity_keys(bundle: resources_pb2.KeyBundle, trust: Trust) -> dict[bytes, bytes]:
    keys = listed_identity_keys(bundle, otherwise=BundleInvalid)
    return {fingerprint: key for fingerprint, key in keys.items() if trust.counts(fingerprint)}


def _check_signatures(signed: resources_pb2.SignedKeyBundle, identity_keys: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """Return who signed, of the keys that count: at least one. A wrong signature in such a key's name refuses all."""
    digest = bundle_digest(signed.bundle)
    signers = []
    for given in signed.signatures:
        public_key = identity_keys.get(given.fingerprint)
        if public_key is None:
            continue
        try:
            check_signature(given.signature, digest=digest, public_key=public_key)
        except WrongSignature:
            raise BundleInvalid("a signature of the key bundle is wrong") from None
        signers.append(given.fingerprint)
    if not signers:
        raise BundleInvalid("the key bundle is not signed by an identity key that counts here")
    return tuple(signers)


def _check_serial(this: SeenBundle, seen: SeenBundle | None) -> None:
    if seen is None or this.serial > seen.serial or this == seen:
        return
    if this.serial == seen.serial:
        raise BundleInvalid(f"the identity key signed two key bundles with serial {this.serial}")
    raise BundleInvalid(f"the key bundle has serial {this.serial}, but this device has seen serial {seen.serial}")


def _transport_key(bundle: resources_pb2.KeyBundle) -> bytes:
    for key in bundle.transport_keys:
        if key.suite == resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM:
            if len(key.public_key) != _KEY_BYTES or transport_key_id(key.public_key) != key.key_id:
                raise BundleInvalid("a transport key is listed under another key's id")
            return key.public_key
    raise BundleInvalid("the key bundle has no transport key of a suite that this client knows")
