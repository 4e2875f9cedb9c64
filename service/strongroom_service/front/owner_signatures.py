"""Co-signatures of a key bundle by the vault's owners, whose keys never touch the service.

    digest = SHA-256 of fields("strongroom/v1/key-bundle-owners", serialized KeyBundle, SHA-256 of the one before)

The one before is the serialized KeyBundle that the owners signed last; zeros for the first. They stand beside the
identity key's in SignedKeyBundle, under the owner's fingerprint. The label is another than the identity key's, so that
neither signature passes for the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from strongroom.v1 import resources_pb2
from strongroom_service.config.owner_keys import WrongSignature, check_digest, owner_fingerprint, sign_digest
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.config.owner_keys import OwnerPrivateKey, OwnerPublicKey
    from strongroom_service.domain.clock import Millis

OWNERS_NEEDED: Final = 2
_LABEL: Final = "strongroom/v1/key-bundle-owners"


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A bundle with its signatures, and what it says."""

    signed: resources_pb2.SignedKeyBundle
    says: resources_pb2.KeyBundle


def parse_bundle(content: bytes) -> BundleFile:
    """Read a serialized SignedKeyBundle.

    Raises:
        Misconfigured: it is none.
    """
    try:
        signed = resources_pb2.SignedKeyBundle.FromString(content)
        says = resources_pb2.KeyBundle.FromString(signed.bundle)
    except DecodeError:
        raise Misconfigured("not a key bundle") from None
    if says.serial == 0 or not says.identity_keys:
        raise Misconfigured("not a key bundle")
    return BundleFile(signed, says)


def owners_digest(bundle: BundleFile, *, previous: BundleFile | None) -> bytes:
    """Return the digest (32 bytes) that owners sign.

    Raises:
        Misconfigured: the serial does not rise.
    """
    if previous is None:
        return hash_fields(_LABEL, bundle.signed.bundle, bytes(32))
    if bundle.says.serial <= previous.says.serial:
        raise Misconfigured(f"serial {bundle.says.serial} is not above {previous.says.serial}, the one before")
    return hash_fields(_LABEL, bundle.signed.bundle, hashlib.sha256(previous.signed.bundle).digest())


def cosign(bundle: BundleFile, key: OwnerPrivateKey, *, previous: BundleFile | None) -> bytes:
    """Return the serialized SignedKeyBundle with the owner's signature beside those there, once each."""
    signature = sign_digest(key, owners_digest(bundle, previous=previous))
    fingerprint = owner_fingerprint(key.public_key())
    signed = resources_pb2.SignedKeyBundle(bundle=bundle.signed.bundle)
    signed.signatures.extend(given for given in bundle.signed.signatures if given.fingerprint != fingerprint)
    signed.signatures.add(fingerprint=fingerprint, signature=signature)
    return signed.SerializeToString(deterministic=True)


def check_owners(
    bundle: BundleFile, owners: Sequence[OwnerPublicKey], *, previous: BundleFile | None, now: Millis
) -> None:
    """Check that two of `owners` or more, each another key, have signed a bundle that is valid at `now`.

    Raises:
        Misconfigured: they have not, or it is not; says which.
    """
    if not bundle.says.not_before_time.ToMilliseconds() <= now <= bundle.says.not_after_time.ToMilliseconds():
        raise Misconfigured("the bundle is not valid at this time")
    _check_signatures(bundle, owners, previous=previous)


def check_chain(bundles: Sequence[BundleFile], owners: Sequence[OwnerPublicKey]) -> None:
    """Check that two of `owners` or more have signed each of `bundles`, oldest first, after the one before it.

    The oldest is what the next was signed after, and may itself have been signed by other owners, unless it is alone:
    then it is their first.

    Raises:
        Misconfigured: they have not; says which.
    """
    before = bundles[0] if len(bundles) > 1 else None
    for bundle in bundles[1:] or bundles:
        try:
            _check_signatures(bundle, owners, previous=before)
        except Misconfigured as error:
            raise Misconfigured(f"bundle {bundle.says.serial}: {error}") from None
        before = bundle


def _check_signatures(bundle: BundleFile, owners: Sequence[OwnerPublicKey], *, previous: BundleFile | None) -> None:
    digest = owners_digest(bundle, previous=previous)
    known = {owner_fingerprint(owner): owner for owner in owners}
    signers = set()
    for given in bundle.signed.signatures:
        owner = known.get(given.fingerprint)
        if owner is None:
            continue
        try:
            check_digest(owner, digest, given.signature)
        except WrongSignature:
            raise Misconfigured(
                f"the signature of owner {given.fingerprint.hex()} is not over this bundle after that one before"
            ) from None
        signers.add(given.fingerprint)
    if len(signers) < OWNERS_NEEDED:
        raise Misconfigured(f"{len(signers)} of the owners given have signed, {OWNERS_NEEDED} are needed")


def changes(bundle: BundleFile, previous: BundleFile | None) -> list[str]:
    """Return in words what the bundle says that the one before did not."""
    if previous is None:
        return [f"identity key {key.fingerprint.hex()} is the first" for key in bundle.says.identity_keys]
    told = [f"serial {previous.says.serial} -> {bundle.says.serial}"]
    for kind, before, after in (
        (
            "identity",
            {key.fingerprint for key in previous.says.identity_keys},
            {key.fingerprint for key in bundle.says.identity_keys},
        ),
        (
            "transport",
            {key.key_id for key in previous.says.transport_keys},
            {key.key_id for key in bundle.says.transport_keys},
        ),
    ):
        told += [f"{kind} key {key.hex()} is new" for key in sorted(after - before)]
        told += [f"{kind} key {key.hex()} is gone" for key in sorted(before - after)]
    return told
