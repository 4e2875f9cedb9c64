"""The recovery credential signs a challenge and nothing else; it may release from a live vault, and no more."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fakes.desk import Desk, refused_for
from tests.fakes.person import Ceremony, Person, open_release


def completed(person: Person, ceremony: Ceremony) -> int:
    """How many envelopes the recovery credential gets."""
    return len(open_release(ceremony, person.complete_call(ceremony, person.recovery_call(ceremony))))


def test_recovery_credential_releases(alice: Person) -> None:
    assert completed(alice, alice.begin_release()) == 1
    event = alice.desk.list_events("alice").events[0]
    assert event.assertion.HasField("recovery")
    assert event.cose_key == b""


def test_recovery_credential_sets_the_count_back(alice: Person) -> None:
    ceremony = alice.begin_release()
    wrong = alice.recovery_call(ceremony, message=b"something else")
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, wrong)
    assert alice.desk.describe("alice").attempts_left == 9
    completed(alice, alice.begin_release())
    assert alice.desk.describe("alice").attempts_left == 10


def test_signature_over_the_bare_challenge_is_a_counted_failure(alice: Person) -> None:
    ceremony = alice.begin_release()
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, alice.recovery_call(ceremony, message=ceremony.challenge))
    assert alice.desk.describe("alice").attempts_left == 9


def test_recovery_credential_is_nothing_before_the_first_store(desk: Desk) -> None:
    alice = Person(desk)
    alice.complete(alice.begin_registration())
    assert desk.describe("alice").recovery_public_key == b""
    ceremony = alice.begin_store()
    call = alice.recovery_call(ceremony)
    call.sealed_envelope, call.transport_key_id = alice.seal(ceremony, b"an envelope")
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, call)
    assert desk.describe("alice").attempts_left == 10


def test_recovery_credential_neither_stores_nor_deletes(alice: Person) -> None:
    store, deletion = alice.begin_store(), alice.begin_delete()
    call = alice.recovery_call(store)
    call.sealed_envelope, call.transport_key_id = alice.seal(store, b"planted")
    for ceremony, brought in ((store, call), (deletion, alice.recovery_call(deletion))):
        with refused_for("NOT_VERIFIED"):
            alice.complete_call(ceremony, brought)
    row = alice.desk.row("alice")
    assert row is not None
    assert row.version == 2


def test_another_recovery_credential_costs_no_attempt(alice: Person) -> None:
    ceremony = alice.begin_release()
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, alice.recovery_call(ceremony, seed=Ed25519PrivateKey.generate()))
    assert alice.desk.describe("alice").attempts_left == 10
    assert completed(alice, ceremony) == 1


def test_recovery_signature_of_the_wrong_length_costs_no_attempt(alice: Person) -> None:
    ceremony = alice.begin_release()
    call = alice.recovery_call(ceremony)
    call.assertion.recovery.signature += b"\0"
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, call)
    assert alice.desk.describe("alice").attempts_left == 10


def test_recovery_credential_is_in_cool_down_with_the_rest(alice: Person) -> None:
    for _ in range(4):
        ceremony = alice.begin_release()
        with refused_for("NOT_VERIFIED"):
            alice.complete_call(ceremony, alice.recovery_call(ceremony, message=b"guess"))
    with refused_for("COOLING_DOWN"):
        alice.begin_release()


def test_registration_with_a_recovery_key_of_small_order_is_refused(desk: Desk) -> None:
    """With such a key one signature is right for every message."""
    alice = Person(desk)
    ceremony = alice.begin_registration(recovery_public_key=(1).to_bytes(32, "little"))
    with refused_for("NOT_VERIFIED"):
        alice.complete(ceremony)
    assert desk.row("alice") is None
