"""Ceremonies that are over, another's, or not what the keeper made: refused unjudged, and what is judged instead."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.desk import Desk
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person, refuses, retag
from tests.fakes.tenant import FakeTenant

WRONG = Forgery(unsigned=True)


def test_expired_ceremony_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_release()
    alice.desk.clock.advance(seconds=120)
    refuses("CEREMONY_EXPIRED", alice, ceremony, alice.judge_call(ceremony, forgery=WRONG))
    assert alice.desk.describe("alice").attempts_left == 10


def test_ceremony_for_another_operation_is_refused(alice: Person) -> None:
    ceremony = alice.begin_release()
    for operation in (frames_pb2.OPERATION_REGISTER, frames_pb2.OPERATION_STORE, frames_pb2.OPERATION_DELETE):
        call = alice.judge_call(ceremony)
        call.operation = operation
        refuses("CEREMONY_REJECTED", alice, ceremony, call)


def test_ceremony_of_another_account_is_refused(alice: Person) -> None:
    bob = Person(alice.desk, "bob")
    bob.enroll()
    ceremony = bob.begin_release()
    refuses("CEREMONY_REJECTED", alice, ceremony, alice.judge_call(ceremony))


def test_registration_of_another_account_is_refused_even_where_neither_has_a_record(desk: Desk) -> None:
    """At version 0 all accounts look alike: only the names in the statement tell them apart."""
    ceremony = Person(desk, "bob").begin_registration()
    mallory = Person(desk, "mallory")
    refuses("CEREMONY_REJECTED", mallory, ceremony, mallory.judge_call(ceremony))


def test_ceremony_of_the_same_account_name_at_another_tenant_is_refused(desk: Desk) -> None:
    other = FakeTenant(name="acme", issuer="https://login.acme.example", ec_key=desk.tenant.ec_key)
    two = Desk(desk.fulfilments_path.parent, others=[other])
    ceremony = Person(two).begin_registration()
    two.tenant = other
    refuses("CEREMONY_REJECTED", Person(two), ceremony, Person(two).judge_call(ceremony))


@pytest.mark.parametrize("position", [0, 40, 100, -33, -32, -1])
def test_ceremony_with_a_changed_bit_is_refused(alice: Person, position: int) -> None:
    ceremony = alice.begin_release()
    changed = bytearray(ceremony.ceremony)
    changed[position] ^= 1
    forged = Ceremony(bytes(changed), ceremony.operation, recipient=ceremony.recipient)
    refuses("CEREMONY_REJECTED", alice, forged, alice.judge_call(forged))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("account", "bob", "CEREMONY_REJECTED"),
        ("tenant", "acme", "CEREMONY_REJECTED"),
        ("version", 1, "BEGIN_AGAIN"),
        ("version", 3, "BEGIN_AGAIN"),
        ("chain_head", bytes(32), "BEGIN_AGAIN"),
        ("format", 2, "CEREMONY_REJECTED"),
    ],
)
def test_statement_that_is_not_of_this_record_is_refused_even_with_a_right_tag(
    alice: Person, field: str, value: object, reason: str
) -> None:
    ceremony = alice.begin_release()
    forged = retag(ceremony.ceremony, key=alice.desk.ceremony_key, **{field: value})
    other = Ceremony(forged, ceremony.operation, recipient=ceremony.recipient)
    refuses(reason, alice, other, alice.judge_call(other))


def test_credential_set_is_bound_by_version_and_head(desk: Desk) -> None:
    """A ceremony begun for one set of passkeys is dead once the set changed, since that raises the version."""
    alice = Person(desk)
    alice.complete(alice.begin_registration())
    ceremony = alice.begin_store()
    replacement = Person(desk)
    replacement.complete(replacement.begin_registration())
    refuses("BEGIN_AGAIN", alice, ceremony, alice.judge_call(ceremony, envelope=b"for the old passkey"))
    assert ceremony.statement.credential_set_sha256 != replacement.begin_store().statement.credential_set_sha256


def test_ceremony_of_another_vault_is_refused(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = Desk(tmp_path_factory.mktemp("elsewhere"), tenant=desk.tenant)
    ceremony = Person(elsewhere).begin_registration()
    alice = Person(desk)
    refuses("CEREMONY_REJECTED", alice, ceremony, alice.judge_call(ceremony))


def test_assertion_over_another_ceremony_is_a_counted_failure(alice: Person) -> None:
    phished, ceremony = alice.begin_release(), alice.begin_release()
    call = alice.judge_call(ceremony)
    call.assertion.CopyFrom(alice.judge_call(phished).assertion)
    refuses("NOT_VERIFIED", alice, ceremony, call)
    assert alice.desk.describe("alice").attempts_left == 9


def test_credential_that_is_not_the_records_costs_no_attempt(alice: Person) -> None:
    stranger = Person(alice.desk)
    ceremony = alice.begin_release()
    row = alice.desk.row("alice")
    refuses("NOT_VERIFIED", alice, ceremony, stranger.judge_call(ceremony))
    assert alice.desk.row("alice") == row
    alice.complete(ceremony)


def test_completion_without_its_proof_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_release()
    call = alice.judge_call(ceremony)
    call.ClearField("assertion")
    refuses("INVALID_FIELD", alice, ceremony, call)
    bob = Person(alice.desk, "bob")
    registration = bob.begin_registration()
    call = bob.judge_call(registration)
    call.ClearField("attestation")
    refuses("INVALID_FIELD", bob, registration, call)
