"""What two pinned owners have signed says which identity keys count; anything less is refused by its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.v1 import resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import OwnerBundleInvalid, UnpinnedVault
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.owner_bundles import SeenOwnerBundle, Standing, receipt_pins, standing_of
from strongroom_client.verification.owner_keys import owner_fingerprint, owner_key_of_pem
from tests.fakes.owner_signers import ADA, EVE, GRACE, OwnerKey, digest_of, owners_sign, pinned, public_key_of
from tests.fakes.vault import NOW
from tests.fakes.vault_keys import FakeVaultKeys

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "protocol.json").read_text())
DAY_MS = 24 * 3600 * 1000
OLD, NEW = FakeVaultKeys(), FakeVaultKeys()
OWNERS = Trust(pins=frozenset(), owners=pinned(ADA, GRACE))
Bundles = list[resources_pb2.SignedKeyBundle]


def served(serial: int, *identities: FakeVaultKeys, now: int = NOW) -> bytes:
    """A serialized bundle that lists these identity keys."""
    bundle = resources_pb2.KeyBundle.FromString(identities[0].bundle(serial=serial, now=now).bundle)
    for other in identities[1:]:
        bundle.identity_keys.add(fingerprint=other.fingerprint, public_key=other.identity_public_key)
    return bundle.SerializeToString()


def chain(*bundles: bytes, by: tuple[OwnerKey, ...] = (ADA, GRACE), first: bytes = b"") -> Bundles:
    """Each signed after the one before it."""
    return [
        owners_sign(bundle, *by, previous=before) for before, bundle in zip([first, *bundles], bundles, strict=False)
    ]


# Owners sign what is served, which may be long over when the next is signed.
ONE, TWO, THREE = served(3, OLD, now=NOW - 60 * DAY_MS), served(9, OLD, NEW), served(12, NEW)
CHAIN = chain(ONE, TWO, THREE)


def stand(bundles: Bundles, *, trust: Trust = OWNERS, known: SeenOwnerBundle | None = None, now: int = NOW) -> Standing:
    return standing_of(trust, bundles, known=known, now=Millis(now))


def known_at(place: int) -> SeenOwnerBundle:
    """What a device knows that last saw the chain up to there; its newest was of that time."""
    bundles = CHAIN[: place + 1]
    now = resources_pb2.KeyBundle.FromString(bundles[-1].bundle).not_before_time.ToMilliseconds() + DAY_MS
    found = stand(bundles, now=now).owner_bundle
    assert found is not None
    return found


def test_newest_says_which_identity_keys_count() -> None:
    standing = stand(CHAIN[:2])
    assert standing.trust == Trust(pins=frozenset({OLD.fingerprint, NEW.fingerprint}))
    assert standing.owner_bundle == SeenOwnerBundle(
        serial=9, sha256=digest_of(CHAIN[1]), identity_keys=frozenset({OLD.fingerprint, NEW.fingerprint})
    )
    assert standing.not_after == NOW + 29 * DAY_MS


def test_vectors_are_taken_with_the_keys_that_they_name() -> None:
    handed_out = [
        resources_pb2.SignedKeyBundle(
            bundle=bytes.fromhex(vector["bundle"]),
            signatures=[
                resources_pb2.BundleSignature(
                    fingerprint=owner_fingerprint(bytes.fromhex(each["public_key"])),
                    signature=bytes.fromhex(each["signature"]),
                )
                for each in vector["signatures"]
            ],
        )
        for vector in VECTORS["owners_bundle"]
    ]
    owners = {bytes.fromhex(vector["public_key"]) for vector in VECTORS["owner_fingerprint"]}
    trust = Trust(pins=frozenset(), owners=frozenset(owners))
    first = stand(handed_out[:1], trust=trust).owner_bundle
    assert stand(handed_out, trust=trust, known=first).owner_bundle == stand(handed_out, trust=trust).owner_bundle


def test_key_is_introduced_and_dropped_on_a_device_that_goes_along_or_was_away() -> None:
    along = stand(CHAIN, known=stand(CHAIN[:2], known=known_at(0)).owner_bundle).owner_bundle
    away = stand(CHAIN, known=known_at(0)).owner_bundle
    assert along == away == replace(known_at(2), dropped=frozenset({OLD.fingerprint}))
    assert receipt_pins(OWNERS, along) == {OLD.fingerprint, NEW.fingerprint}


def test_same_chain_is_taken_again() -> None:
    assert stand(CHAIN, known=known_at(2)).owner_bundle == known_at(2)


def test_oldest_handed_out_may_be_other_owners_but_what_follows_is_after_it() -> None:
    handed_out = [*chain(TWO, by=(EVE,)), *chain(THREE, first=TWO)]
    assert stand(handed_out).trust.pins == {NEW.fingerprint}
    handed_out[0] = owners_sign(served(9, OLD), ADA, GRACE)
    with pytest.raises(OwnerBundleInvalid, match="not over key bundle 12 after the one before"):
        stand(handed_out)


@pytest.mark.parametrize(
    ("by", "counted"),
    [((ADA,), 1), ((ADA, ADA), 1), ((ADA, EVE), 1), ((EVE,), 0), ((), 0)],
    ids=["Ada", "Ada twice", "Ada and a stranger", "a stranger", "nobody"],
)
@pytest.mark.parametrize("known", [None, 0], ids=["fresh", "known"])
def test_one_owner_or_one_twice_or_a_stranger_is_not_two(
    by: tuple[OwnerKey, ...], counted: int, known: int | None
) -> None:
    handed_out = [CHAIN[0], *chain(TWO, by=by, first=ONE)]
    with pytest.raises(
        OwnerBundleInvalid, match=f"^{counted} of the owners pinned here have signed key bundle 9, and 2"
    ):
        stand(handed_out, known=None if known is None else known_at(known))


def test_one_owner_is_not_two_for_the_first_bundle_either() -> None:
    with pytest.raises(OwnerBundleInvalid, match="1 of the owners"):
        stand(chain(TWO, by=(ADA,)))


def test_lower_serial_is_refused() -> None:
    with pytest.raises(OwnerBundleInvalid, match="has serial 9, but this device has seen serial 12"):
        stand(CHAIN[:2], known=known_at(2))


def test_another_bundle_with_the_serial_that_is_known_is_refused() -> None:
    fork = [CHAIN[0], *chain(served(9, NEW), first=ONE)]
    with pytest.raises(OwnerBundleInvalid, match="two key bundles of the owners with serial 9"):
        stand(fork, known=known_at(1))


def test_chain_without_what_is_known_is_refused() -> None:
    with pytest.raises(OwnerBundleInvalid, match="up to serial 12 do not go on from serial 9, known here"):
        stand([CHAIN[0], *chain(THREE, first=ONE)], known=known_at(1))


def test_bundle_signed_after_another_is_refused() -> None:
    for first in (b"", ONE, served(9, OLD)):
        with pytest.raises(OwnerBundleInvalid, match="after the one before"):
            stand([CHAIN[1], *chain(THREE, first=first)])
    with pytest.raises(OwnerBundleInvalid, match="after the one before"):
        stand([CHAIN[1]])


def test_serials_that_do_not_rise_are_refused_though_signed() -> None:
    for serial in (8, 9):
        with pytest.raises(OwnerBundleInvalid, match=f"go back, from serial 9 to {serial}"):
            stand(chain(TWO, served(serial, NEW)))


@pytest.mark.parametrize(("now", "reason"), [(NOW - DAY_MS, "not valid yet"), (NOW + 30 * DAY_MS, "any more")])
def test_newest_must_be_of_this_time(now: int, reason: str) -> None:
    with pytest.raises(OwnerBundleInvalid, match=reason):
        stand(CHAIN, now=now, known=known_at(2))


def nothing(_: Bundles) -> Bundles:
    return []


def too_many(_: Bundles) -> Bundles:
    return chain(*(served(serial, OLD) for serial in range(1, 66)))


def unreadable(bundles: Bundles) -> Bundles:
    return [*bundles, resources_pb2.SignedKeyBundle(bundle=b"\xff")]


def changed(bundles: Bundles) -> Bundles:
    return [*bundles[:2], resources_pb2.SignedKeyBundle(bundle=served(12, OLD), signatures=bundles[2].signatures)]


def of_the_identity(bundles: Bundles) -> Bundles:
    """Signed by the vault itself, and under the owners' names by its key."""
    signed = OLD.sign_bundle(resources_pb2.KeyBundle.FromString(THREE))
    for owner in bundles[2].signatures:
        signed.signatures.add(fingerprint=owner.fingerprint, signature=signed.signatures[0].signature)
    return [*bundles[:2], signed]


def mislabelled(_: Bundles) -> Bundles:
    bundle = resources_pb2.KeyBundle.FromString(TWO)
    bundle.identity_keys[0].public_key = NEW.identity_public_key
    return chain(bundle.SerializeToString())


def without_identity_keys(_: Bundles) -> Bundles:
    bundle = resources_pb2.KeyBundle.FromString(TWO)
    del bundle.identity_keys[:]
    return chain(bundle.SerializeToString())


def for_ever(_: Bundles) -> Bundles:
    bundle = resources_pb2.KeyBundle.FromString(TWO)
    bundle.not_after_time.seconds += 10 * 365 * 24 * 3600
    return chain(bundle.SerializeToString())


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (nothing, "hands out nothing"),
        (too_many, "more than 64"),
        (unreadable, "does not parse"),
        (changed, "not over key bundle 12"),
        (of_the_identity, "not over key bundle 12"),
        (mislabelled, "another key's fingerprint"),
        (without_identity_keys, "no identity key"),
        (for_ever, "more than 30 days"),
    ],
)
def test_what_is_spoilt_is_refused(spoil: Callable[[Bundles], Bundles], reason: str) -> None:
    with pytest.raises(OwnerBundleInvalid, match=reason):
        stand(spoil(list(CHAIN)))


def test_pinned_identity_key_counts_beside_owners_only_until_they_have_signed() -> None:
    both = Trust(pins=frozenset({OLD.fingerprint}), owners=OWNERS.owners)
    assert stand([], trust=both) == Standing(trust=Trust(pins=both.pins))
    assert stand(CHAIN, trust=both).trust.pins == {NEW.fingerprint}
    with pytest.raises(OwnerBundleInvalid, match="hands out nothing"):
        stand([], trust=both, known=known_at(2))


def test_without_pinned_owners_nothing_that_they_signed_is_looked_at() -> None:
    for trust in (Trust(pins=frozenset({OLD.fingerprint})), Trust(pins=frozenset(), unpinned=True)):
        assert stand(unreadable(CHAIN), trust=trust, known=known_at(0)) == Standing(
            trust=trust, owner_bundle=known_at(0)
        )


def test_owners_are_two_or_more_and_each_another_key() -> None:
    with pytest.raises(ValueError, match="one owner's word"):
        Trust(pins=frozenset(), owners=pinned(ADA))
    compressed = GRACE.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    spelt = public_key_of(GRACE)[:23] + b"\x03\x22\x00" + compressed
    spelt = bytes([spelt[0], len(spelt) - 2]) + spelt[2:]
    for other in (b"", b"key", spelt, public_key_of(GRACE) + b"\0"):
        with pytest.raises(ValueError, match=r"."):
            Trust(pins=frozenset(), owners=pinned(GRACE) | {other})
    with pytest.raises(UnpinnedVault):
        Trust(pins=frozenset(), unpinned=True, owners=pinned(ADA, GRACE))


def test_owners_key_of_another_kind_is_none() -> None:
    other = generate_private_key(SECP384R1()).public_key()
    with pytest.raises(ValueError, match="Ed25519 or P-256"):
        owner_key_of_pem(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    pem = GRACE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert owner_key_of_pem(pem) == public_key_of(GRACE)


def test_receipts_prove_nothing_where_no_identity_key_was_pinned_or_signed_for() -> None:
    with pytest.raises(UnpinnedVault):
        receipt_pins(OWNERS, None)
    assert receipt_pins(Trust(pins=frozenset({OLD.fingerprint})), known_at(2)) == {OLD.fingerprint}
