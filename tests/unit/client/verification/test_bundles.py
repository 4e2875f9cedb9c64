from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.v1 import resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import BundleInvalid, UnpinnedVault
from strongroom_client.verification.bundles import SeenBundle, Trust, VerifiedBundle, verify_bundle
from tests.fakes.vault import NOW, FakeVault
from tests.fakes.vault_keys import timestamp

VAULT = FakeVault(serial=7)
STRANGER = FakeVault(serial=7)
PINNED = Trust(pins=frozenset({VAULT.keys.fingerprint}))
DAY_MS = 24 * 3600 * 1000


def verify(
    signed: resources_pb2.SignedKeyBundle,
    *,
    trust: Trust = PINNED,
    seen: SeenBundle | None = None,
    now: int = NOW,
) -> VerifiedBundle:
    known = {} if seen is None else {VAULT.keys.fingerprint: seen}
    return verify_bundle(signed, trust=trust, seen=known, now=Millis(now))


def bundle_of(vault: FakeVault) -> resources_pb2.KeyBundle:
    return resources_pb2.KeyBundle.FromString(vault.bundle().bundle)


def test_bundle_gives_transport_key_and_pinned_identity_key() -> None:
    verified = verify(VAULT.bundle())
    assert verified.transport_key == VAULT.keys.transport.public_key().public_bytes_raw()
    assert verified.identity_keys == {VAULT.keys.fingerprint: VAULT.keys.identity_public_key}
    assert verified.signers == (VAULT.keys.fingerprint,)
    assert verified.seen.serial == 7


def test_bundle_never_introduces_an_identity_key() -> None:
    bundle = bundle_of(VAULT)
    bundle.identity_keys.add(fingerprint=STRANGER.keys.fingerprint, public_key=STRANGER.keys.identity_public_key)
    assert STRANGER.keys.fingerprint not in verify(VAULT.keys.sign_bundle(bundle)).identity_keys


def test_bundle_of_an_unpinned_identity_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="not signed by"):
        verify(STRANGER.bundle())


def test_bundle_of_any_identity_is_taken_only_when_unpinned_was_said() -> None:
    assert verify(STRANGER.bundle(), trust=Trust(pins=frozenset(), unpinned=True)).signers == (
        STRANGER.keys.fingerprint,
    )


@pytest.mark.parametrize("pins", [frozenset(), frozenset({b"p" * 32})])
def test_trust_must_be_pinned_or_unpinned_and_not_both(pins: frozenset[bytes]) -> None:
    with pytest.raises(UnpinnedVault):
        Trust(pins=pins, unpinned=bool(pins))


def test_newer_and_same_bundles_are_taken_again() -> None:
    verified = verify(VAULT.bundle())
    assert verify(VAULT.bundle(), seen=verified.seen) == verified
    verify(VAULT.bundle(), seen=SeenBundle(6, bytes(32)))


@pytest.mark.parametrize("seen", [SeenBundle(8, bytes(32)), SeenBundle(7, bytes(32))])
def test_bundle_with_lower_serial_or_second_bundle_with_same_serial_is_refused(seen: SeenBundle) -> None:
    with pytest.raises(BundleInvalid, match="serial"):
        verify(VAULT.bundle(), seen=seen)


@pytest.mark.parametrize("now", [NOW - DAY_MS, NOW + 30 * DAY_MS])
def test_bundle_of_another_time_is_refused(now: int) -> None:
    with pytest.raises(BundleInvalid, match="not valid"):
        verify(VAULT.bundle(), now=now)


def swapped_transport_key(bundle: resources_pb2.KeyBundle) -> None:
    bundle.transport_keys[0].public_key = STRANGER.keys.transport.public_key().public_bytes_raw()


def swapped_identity_key(bundle: resources_pb2.KeyBundle) -> None:
    bundle.identity_keys[0].public_key = STRANGER.keys.identity_public_key


def valid_for_too_long(bundle: resources_pb2.KeyBundle) -> None:
    bundle.not_after_time.CopyFrom(timestamp(NOW + 31 * DAY_MS))


def ends_before_it_begins(bundle: resources_pb2.KeyBundle) -> None:
    bundle.not_after_time.CopyFrom(timestamp(NOW - DAY_MS))


def without_transport_key(bundle: resources_pb2.KeyBundle) -> None:
    del bundle.transport_keys[:]


def with_transport_key_of_unknown_suite(bundle: resources_pb2.KeyBundle) -> None:
    bundle.transport_keys[0].suite = resources_pb2.HPKE_SUITE_UNSPECIFIED


@pytest.mark.parametrize(
    "spoil",
    [
        swapped_transport_key,
        swapped_identity_key,
        valid_for_too_long,
        ends_before_it_begins,
        without_transport_key,
        with_transport_key_of_unknown_suite,
    ],
)
def test_bundle_is_refused_although_the_pinned_key_signed_it(spoil: Callable[[resources_pb2.KeyBundle], None]) -> None:
    bundle = bundle_of(VAULT)
    verify(VAULT.keys.sign_bundle(bundle))
    spoil(bundle)
    with pytest.raises(BundleInvalid):
        verify(VAULT.keys.sign_bundle(bundle))


def test_bundle_changed_after_signing_is_refused() -> None:
    signed = VAULT.bundle()
    bundle = bundle_of(VAULT)
    bundle.serial += 1
    signed.bundle = bundle.SerializeToString()
    with pytest.raises(BundleInvalid, match="signature"):
        verify(signed)


def test_bundle_that_is_none_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="parse"):
        verify(resources_pb2.SignedKeyBundle(bundle=b"\xff"))
