"""What two owners have not both signed, for this bundle after that one, is refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom_service.config.owner_keys import OwnerPrivateKey, owner_fingerprint, sign_digest
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.owner_signatures import BundleFile, changes, check_owners, cosign, parse_bundle
from strongroom_service.keeper.formats.bundle import bundle_digest
from tests.fakes.vault_keys import FakeVaultKeys

NOW = Millis(1_800_000_000_000)
DAY = 24 * 3600 * 1000
ADA, GRACE = Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())
VAULT, OTHER = FakeVaultKeys(), FakeVaultKeys()


def bundle(serial: int, vault: FakeVaultKeys = VAULT) -> BundleFile:
    return parse_bundle(vault.bundle(serial=serial, now=NOW).SerializeToString())


OLD, NEW = bundle(5), bundle(9)


def by(which: BundleFile, *keys: OwnerPrivateKey, previous: BundleFile | None = OLD, grace: bool = True) -> BundleFile:
    for key in (*keys, *([GRACE] if grace else [])):
        which = parse_bundle(cosign(which, key, previous=previous))
    return which


def check(which: BundleFile, *, previous: BundleFile | None = OLD, now: int = NOW) -> None:
    check_owners(which, [ADA.public_key(), GRACE.public_key()], previous=previous, now=Millis(now))


def test_two_owners_of_either_kind_are_enough_and_keep_the_vaults_signature() -> None:
    signed = by(NEW, ADA)
    check(signed)
    assert signed.signed.signatures[0] == NEW.signed.signatures[0]
    check(by(NEW, ADA, previous=None), previous=None)


def test_one_owner_twice_or_a_stranger_is_not_two() -> None:
    for signed in (NEW, by(NEW), by(NEW, Ed25519PrivateKey.generate())):
        with pytest.raises(Misconfigured, match="2 are needed"):
            check(signed)
    twice = by(NEW)
    twice.signed.signatures.append(twice.signed.signatures[-1])
    with pytest.raises(Misconfigured, match="1 of the owners"):
        check(twice)


def test_lower_or_equal_serial_is_neither_signed_nor_taken() -> None:
    signed = by(OLD, ADA, previous=bundle(4))
    for previous in (NEW, OLD):
        with pytest.raises(Misconfigured, match="serial 5 is not above"):
            check(signed, previous=previous)
        with pytest.raises(Misconfigured, match="serial 5 is not above"):
            cosign(OLD, ADA, previous=previous)


def test_signature_after_another_bundle_or_of_another_vault_is_refused() -> None:
    for previous in (None, bundle(4), bundle(5, OTHER)):
        with pytest.raises(Misconfigured, match="is not over this bundle"):
            check(by(NEW, ADA), previous=previous)
    swapped = by(NEW, ADA)
    swapped.signed.bundle = bundle(9, OTHER).signed.bundle
    with pytest.raises(Misconfigured, match="is not over this bundle"):
        check(parse_bundle(swapped.signed.SerializeToString()))


def test_signature_under_the_identity_keys_label_is_refused() -> None:
    signed = by(NEW)
    signature = sign_digest(ADA, bundle_digest(NEW.signed.bundle))
    signed.signed.signatures.add(fingerprint=owner_fingerprint(ADA.public_key()), signature=signature)
    with pytest.raises(Misconfigured, match="is not over this bundle"):
        check(signed)


@pytest.mark.parametrize("now", [NOW - DAY, NOW + 31 * DAY])
def test_bundle_of_another_time_is_refused(now: int) -> None:
    with pytest.raises(Misconfigured, match="not valid at this time"):
        check(by(NEW, ADA), now=now)


def test_changes_name_every_key_that_came_or_went() -> None:
    told = changes(bundle(9, OTHER), OLD)
    assert told[0] == "serial 5 -> 9"
    assert f"identity key {OTHER.fingerprint.hex()} is new" in told
    assert f"identity key {VAULT.fingerprint.hex()} is gone" in told


@pytest.mark.parametrize("content", [b"", b"\xff", b"PEM"])
def test_other_files_are_no_bundles(content: bytes) -> None:
    with pytest.raises(Misconfigured, match="not a key bundle"):
        parse_bundle(content)
