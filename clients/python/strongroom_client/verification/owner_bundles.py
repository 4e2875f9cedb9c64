"""What the vault's owners have signed: which identity keys count, for clients that pin the owners' keys.

    digest = SHA-256 of fields("strongroom/v1/key-bundle-owners", serialized KeyBundle, SHA-256 of the one before)

The one before is the serialized KeyBundle that the owners signed last; zeros for their first. The vault hands out the
chain, oldest first. Two distinct owners must have signed each after the one that this device knows, in rising serials,
each over the hash of its predecessor; the newest alone must be of this time. A device that knows none begins with the
oldest handed out: what the next is signed over says which that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from strongroom.v1 import resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import OwnerBundleInvalid, UnpinnedVault
from strongroom_client.fields import hash_fields
from strongroom_client.verification.bundles import Trust, VerifiedBundle, check_time, listed_identity_keys
from strongroom_client.verification.owner_keys import check_owner_signature, owner_fingerprint
from strongroom_client.verification.signatures import WrongSignature

OWNERS_NEEDED = 2
MAX_OWNER_BUNDLES = 64
_LABEL = "strongroom/v1/key-bundle-owners"
_FIRST = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOwnerBundle:
    """The newest bundle that two owners have signed for this device.

    Attributes:
        serial, sha256: its own.
        identity_keys: fingerprints of the identity keys in it: those that count.
        dropped: of those that earlier ones had and it has not: they count for old receipts alone.
    """

    serial: int
    sha256: bytes
    identity_keys: frozenset[bytes]
    dropped: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is believed of the vault at this time.

    Attributes:
        trust: names the identity keys that count; never owners.
        owner_bundle: the owners' newest; None where none is gone by.
        not_after: the end of its validity, unix milliseconds; None likewise.
    """

    trust: Trust
    owner_bundle: SeenOwnerBundle | None = None
    not_after: Millis | None = None

    def limit(self, bundle: VerifiedBundle) -> VerifiedBundle:
        """Return the vault's own bundle, as one to be asked for anew once the owners' is over."""
        return bundle if self.not_after is None else replace(bundle, not_after=min(bundle.not_after, self.not_after))


@dataclass(frozen=True, slots=True)
class _Entry:
    says: resources_pb2.KeyBundle
    signed: resources_pb2.SignedKeyBundle
    sha256: bytes


def standing_of(
    trust: Trust, bundles: Sequence[resources_pb2.SignedKeyBundle], *, known: SeenOwnerBundle | None, now: Millis
) -> Standing:
    """Return which identity keys count, by `trust` and by what the vault handed out as its owners' word.

    Without owners in `trust` that is what it says, and nothing handed out is looked at. Where both owners and identity
    keys are pinned, these count until the owners have signed for this device once.

    Raises:
        OwnerBundleInvalid: two owners have not signed it, it is not of this time, or it does not go on from `known`.
    """
    if not trust.owners:
        return Standing(trust=trust, owner_bundle=known)
    if not bundles and known is None and trust.pins:
        return Standing(trust=Trust(pins=trust.pins))
    if not bundles:
        raise OwnerBundleInvalid("the vault hands out nothing that its owners have signed")
    if len(bundles) > MAX_OWNER_BUNDLES:
        raise OwnerBundleInvalid(f"the vault hands out more than {MAX_OWNER_BUNDLES} bundles of its owners")
    chain = [_parse(signed) for signed in bundles]
    _check_chain(chain, trust=trust, known=known)
    newest = chain[-1]
    not_after = check_time(newest.says, now=now, whose="the owners' key bundle", otherwise=OwnerBundleInvalid)
    identity_keys = frozenset(listed_identity_keys(newest.says, otherwise=OwnerBundleInvalid))
    if not identity_keys:
        raise OwnerBundleInvalid("the owners' key bundle has no identity key")
    earlier = frozenset[bytes]() if known is None else known.identity_keys | known.dropped
    seen = SeenOwnerBundle(
        serial=newest.says.serial,
        sha256=newest.sha256,
        identity_keys=identity_keys,
        dropped=earlier - identity_keys,
    )
    return Standing(trust=Trust(pins=identity_keys), owner_bundle=seen, not_after=not_after)


def receipt_pins(trust: Trust, known: SeenOwnerBundle | None) -> frozenset[bytes]:
    """Return the identity keys that count for receipts which are kept already: those that the owners dropped do, too.

    Raises:
        UnpinnedVault: there are none, so that no receipt proves anything.
    """
    pins = trust.pins
    if trust.owners and known is not None:
        pins |= known.identity_keys | known.dropped
    if not pins:
        raise UnpinnedVault("no identity key is pinned, or signed for by pinned owners, so that receipts prove nothing")
    return pins


def _parse(signed: resources_pb2.SignedKeyBundle) -> _Entry:
    try:
        says = resources_pb2.KeyBundle.FromString(signed.bundle)
    except DecodeError:
        raise OwnerBundleInvalid("an owners' key bundle does not parse") from None
    return _Entry(says, signed, hashlib.sha256(signed.bundle).digest())


def _check_chain(chain: Sequence[_Entry], *, trust: Trust, known: SeenOwnerBundle | None) -> None:
    begin = _begin(chain, known)
    previous = _FIRST if begin == 0 else chain[begin - 1].sha256
    for before, entry in zip([None, *chain], chain, strict=False):
        if before is not None and entry.says.serial <= before.says.serial:
            raise OwnerBundleInvalid(
                f"the owners' key bundles go back, from serial {before.says.serial} to {entry.says.serial}"
            )
    for entry in chain[begin:]:
        _check_owners(entry, previous, trust)
        previous = entry.sha256


def _begin(chain: Sequence[_Entry], known: SeenOwnerBundle | None) -> int:
    """Return the first entry that must prove itself: it comes after what is known, or after the oldest if others do."""
    if known is None:
        return min(1, len(chain) - 1)
    for place, entry in enumerate(chain):
        if entry.sha256 == known.sha256:
            return place + 1
    if any(entry.says.serial == known.serial for entry in chain):
        raise OwnerBundleInvalid(f"there are two key bundles of the owners with serial {known.serial}")
    newest = chain[-1].says.serial
    if newest < known.serial:
        raise OwnerBundleInvalid(
            f"the owners' key bundle has serial {newest}, but this device has seen serial {known.serial}"
        )
    raise OwnerBundleInvalid(
        f"the owners' key bundles up to serial {newest} do not go on from serial {known.serial}, known here"
    )


def _check_owners(entry: _Entry, previous: bytes, trust: Trust) -> None:
    digest = hash_fields(_LABEL, entry.signed.bundle, previous)
    owners = {owner_fingerprint(encoded): encoded for encoded in trust.owners}
    signers = set()
    for given in entry.signed.signatures:
        if given.fingerprint not in owners:
            continue
        try:
            check_owner_signature(given.signature, digest=digest, encoded=owners[given.fingerprint])
        except WrongSignature:
            raise OwnerBundleInvalid(
                f"a signature of owner {given.fingerprint.hex()[:16]}... is not over key bundle {entry.says.serial}"
                " after the one before it"
            ) from None
        signers.add(given.fingerprint)
    if len(signers) < OWNERS_NEEDED:
        raise OwnerBundleInvalid(
            f"{len(signers)} of the owners pinned here have signed key bundle {entry.says.serial},"
            f" and {OWNERS_NEEDED} must"
        )
