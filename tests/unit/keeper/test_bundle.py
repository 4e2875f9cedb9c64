"""The key bundle: renewed daily, chained, signed, and never good for more than 30 days."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom.v1 import resources_pb2
from strongroom_service.domain.fields import hash_fields
from tests.fakes.clock import SECOND
from tests.fakes.desk import Desk
from tests.fakes.person import Person

DAY = 86_400


def shown(desk: Desk) -> resources_pb2.SignedKeyBundle:
    return desk.service_info("alice").key_bundle


def verify(signed: resources_pb2.SignedKeyBundle, *, content: bytes) -> None:
    (signature,) = signed.signatures
    (identity,) = resources_pb2.KeyBundle.FromString(signed.bundle).identity_keys
    assert signature.fingerprint == identity.fingerprint
    r, s = (int.from_bytes(half, "big") for half in (signature.signature[:32], signature.signature[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), identity.public_key)
    digest = hash_fields("strongroom/v1/key-bundle", content)
    key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(SHA256())))


def renew(desk: Desk) -> None:
    """What a front does with a successor: commit it and open it."""
    desk.restart()
    assert desk.renewed_vault
    desk.vault_version, desk.vault_sealed = desk.vault_version + 1, desk.renewed_vault
    desk.restart()


def test_first_bundle_is_signed_and_follows_none(desk: Desk) -> None:
    signed = shown(desk)
    verify(signed, content=signed.bundle)
    bundle = resources_pb2.KeyBundle.FromString(signed.bundle)
    assert (bundle.serial, bundle.previous_bundle_sha256) == (1, bytes(32))
    assert [len(key.public_key) for key in bundle.transport_keys] == [32]
    with pytest.raises(InvalidSignature):
        verify(signed, content=signed.bundle + b"\0")


def test_fingerprint_and_key_id_are_hashes_of_their_keys(desk: Desk) -> None:
    bundle = Person(desk).bundle()
    (identity,), (transport,) = bundle.identity_keys, bundle.transport_keys
    assert identity.fingerprint == hash_fields("strongroom/v1/identity-key", identity.public_key)
    assert transport.key_id == hash_fields("strongroom/v1/transport-key-id", transport.public_key)[:16]


def test_bundle_is_good_at_once_and_for_at_most_thirty_days(desk: Desk) -> None:
    bundle = Person(desk).bundle()
    start, end = bundle.not_before_time.ToMilliseconds(), bundle.not_after_time.ToMilliseconds()
    assert start <= desk.clock.now() < end
    assert end - start == 30 * DAY * SECOND


def test_bundle_is_not_renewed_within_a_day(desk: Desk) -> None:
    desk.restart()
    assert not desk.renewed_vault
    desk.clock.advance(seconds=DAY)
    desk.restart()
    assert not desk.renewed_vault


def test_bundle_is_renewed_after_a_day_and_chained_to_the_one_before(desk: Desk) -> None:
    for serial in (2, 3):
        before = shown(desk)
        desk.clock.advance(seconds=DAY + 1)
        renew(desk)
        signed = shown(desk)
        verify(signed, content=signed.bundle)
        bundle = resources_pb2.KeyBundle.FromString(signed.bundle)
        assert bundle.serial == serial == desk.vault_version
        assert bundle.previous_bundle_sha256 == hashlib.sha256(before.bundle).digest()
        assert bundle.not_before_time.ToMilliseconds() <= desk.clock.now()


def test_renewal_changes_no_key_and_no_record(alice: Person) -> None:
    desk = alice.desk
    before = alice.bundle()
    desk.clock.advance(seconds=DAY + 1)
    renew(desk)
    assert list(alice.bundle().identity_keys) == list(before.identity_keys)
    assert list(alice.bundle().transport_keys) == list(before.transport_keys)
    assert len(alice.release()) == 1


def test_clock_set_back_does_not_renew(desk: Desk) -> None:
    desk.clock.advance(seconds=-10 * DAY)
    desk.restart()
    assert not desk.renewed_vault
