"""What a store must bring: the secret of its own ceremony, under a key of the bundle; nothing else can fill it."""

from __future__ import annotations

import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_service.domain.fields import encode_fields
from tests.fakes.desk import Desk, Refused, refused_for
from tests.fakes.person import SUITE, Ceremony, Person

MAX_ENVELOPE = 16 * 1024


def refused(person: Person, ceremony: Ceremony, call: frames_pb2.JudgeCall) -> str:
    """Why nothing was stored; it cost nothing, and the ceremony still lives."""
    row = person.desk.row(person.account)
    with pytest.raises(Refused) as caught:
        person.complete_call(ceremony, call)
    assert person.desk.row(person.account) == row
    person.complete(ceremony, envelope=b"the right one")
    return str(caught.value)


@pytest.mark.parametrize("size", [1, 1024, MAX_ENVELOPE])
def test_envelope_comes_back_as_it_was_stored(alice: Person, size: int) -> None:
    envelope = os.urandom(size)
    signed = alice.complete(alice.begin_store(), envelope=envelope)
    reply = vault_service_pb2.StoreReply.FromString(signed.reply)
    assert (reply.archive_version, reply.envelope_sha256) == (3, hashlib.sha256(envelope).digest())
    (released,) = alice.release()
    assert released.envelope == envelope
    stored = [event.envelope_sha256 for event in alice.desk.list_events("alice").events]
    assert stored[1] == hashlib.sha256(envelope).digest()


@pytest.mark.parametrize("envelope", [b"", bytes(MAX_ENVELOPE + 1)], ids=["empty", "oversize"])
def test_envelope_of_a_wrong_size_is_refused_unjudged(alice: Person, envelope: bytes) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony)
    call.sealed_envelope, call.transport_key_id = alice.seal(ceremony, envelope)
    assert refused(alice, ceremony, call) == "INVALID_FIELD"


def test_envelope_with_another_secret_is_refused_unjudged(alice: Person) -> None:
    """Who sees the ceremony and the assertion go by, a front, still cannot put its own envelope in."""
    ceremony = alice.begin_store()
    forged = Ceremony(ceremony.ceremony, ceremony.operation, secret=os.urandom(32))
    call = alice.judge_call(ceremony)
    call.sealed_envelope, call.transport_key_id = alice.seal(forged, b"the front's own")
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_envelope_shorter_than_a_secret_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_store()
    short = Ceremony(ceremony.ceremony, ceremony.operation, secret=ceremony.secret[:31])
    call = alice.judge_call(ceremony)
    call.sealed_envelope, call.transport_key_id = alice.seal(short, b"")
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_envelope_sealed_for_another_ceremony_is_refused_unjudged(alice: Person) -> None:
    earlier, ceremony = alice.begin_store(), alice.begin_store()
    call = alice.judge_call(ceremony)
    call.sealed_envelope, call.transport_key_id = alice.seal(earlier, b"of the earlier one")
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_envelope_of_another_account_is_refused_unjudged(alice: Person) -> None:
    bob = Person(alice.desk, "bob")
    bob.complete(bob.begin_registration())
    of_bob, ceremony = bob.begin_store(), alice.begin_store()
    call = alice.judge_call(ceremony)
    call.sealed_envelope, call.transport_key_id = bob.seal(of_bob, b"bob's")
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_envelope_with_a_changed_bit_is_refused_unjudged(alice: Person, position: int) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    changed = bytearray(call.sealed_envelope)
    changed[position] ^= 1
    call.sealed_envelope = bytes(changed)
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


@pytest.mark.parametrize("sealed", [b"", b"\0", bytes(31), bytes(32), bytes(48), bytes(100)])
def test_sealed_envelope_that_is_no_hpke_is_refused_unjudged(alice: Person, sealed: bytes) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    call.sealed_envelope = sealed
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_unknown_transport_key_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    call.transport_key_id = bytes(16)
    assert refused(alice, ceremony, call) == "INVALID_FIELD"


def test_envelope_sealed_to_another_key_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    info = encode_fields("strongroom/v1/hpke", b"to-keeper", 1, ceremony.challenge)
    stranger = X25519PrivateKey.generate().public_key()
    call.sealed_envelope = SUITE.encrypt(ceremony.secret + b"an envelope", stranger, info=info)
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_envelope_sealed_in_the_other_direction_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    info = encode_fields("strongroom/v1/hpke", b"to-client", 1, ceremony.challenge)
    (transport_key,) = alice.transport_keys()
    call.sealed_envelope = SUITE.encrypt(ceremony.secret + b"an envelope", transport_key, info=info)
    assert refused(alice, ceremony, call) == "NOT_VERIFIED"


def test_release_ignores_an_envelope_that_it_should_not_bring(alice: Person) -> None:
    ceremony = alice.begin_release()
    call = alice.judge_call(ceremony)
    call.sealed_envelope = b"what is this"
    alice.complete_call(ceremony, call)
    assert [each.archive_version for each in alice.desk.describe("alice").archives] == [2]


def test_recipient_that_nothing_can_be_sealed_to_is_refused_before_anybody_signs(alice: Person) -> None:
    """Else the attempt is committed, and no answer can be made for it."""
    for point in (bytes(32), (1).to_bytes(32, "little")):
        with refused_for("INVALID_FIELD"):
            alice.begin_release_to(point)


def test_first_store_in_another_mode_than_registered_is_refused_at_the_beginning(alice: Person) -> None:
    bob = Person(alice.desk, "bob")
    bob.complete(bob.begin_registration())
    with refused_for("INVALID_FIELD"):
        bob.begin_store(mode="MODE_VAULT_HELD")


def test_store_in_another_mode_moves_the_record_and_what_was_locked_otherwise_is_given_no_more(alice: Person) -> None:
    """Also not to a release that was granted before, and whose answer was lost."""
    alice.release(opened=2)
    lost = alice.begin_release()
    alice.complete(lost)
    ceremony = alice.begin_store(mode="MODE_VAULT_HELD")
    assert ceremony.statement.mode == resources_pb2.MODE_PRF, "the record's, until the store is decided"
    alice.complete(ceremony, envelope=b"in clear")
    (released,) = alice.release()
    assert (released.mode, released.envelope) == (resources_pb2.MODE_VAULT_HELD, b"in clear")
    assert alice.begin_release().statement.mode == resources_pb2.MODE_VAULT_HELD
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(lost)


def test_wrong_signature_with_a_right_envelope_stores_nothing_and_is_counted(desk: Desk, alice: Person) -> None:
    ceremony, later = alice.begin_store(), alice.begin_store()
    call = alice.judge_call(ceremony, envelope=b"an envelope")
    call.assertion.CopyFrom(alice.judge_call(later).assertion)
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, call)
    shown = desk.describe("alice")
    assert ([each.archive_version for each in shown.archives], shown.attempts_left) == ([2], 9)
