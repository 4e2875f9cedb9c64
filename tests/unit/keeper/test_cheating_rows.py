"""A front or a database that shows the keeper another row than the newest (docs/threat-model.md)."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from strongroom.v1 import resources_pb2
from strongroom_service.keeper.formats.record_codec import decode_record, encode_record
from strongroom_service.keeper.formats.sealing import (
    Kind,
    derive_one_time_key,
    draw_one_time_key,
    parse_header,
)
from tests.fakes.desk import Refused, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Person, refuses

WRONG = Forgery(unsigned=True)


def test_older_row_is_noticed_by_the_keeper_that_saw_a_newer_one(alice: Person) -> None:
    old = alice.row()
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=WRONG)
    alice.desk.describe("alice")
    with refused_for("STALE"):
        alice.begin_release(row=old)
    for ceremony in (alice.begin_release(), alice.begin_delete()):
        call = alice.judge_call(ceremony)
        call.row.CopyFrom(old)
        refuses("STALE", alice, ceremony, call)
        with refused_for("STALE"):
            alice.fulfil(ceremony, row=old)


def test_other_row_of_the_same_version_is_noticed(alice: Person) -> None:
    one, other = (alice.judge(alice.judge_call(alice.begin_release(), forgery=WRONG)).commit for _ in range(2))
    alice.desk.store.commit(one)
    alice.desk.describe("alice")
    with refused_for("STALE"):
        alice.begin_release(row=other.row)


def test_older_row_before_a_restarted_keeper_brings_back_the_ledger_and_shows_its_age(alice: Person) -> None:
    """Stated in the threat model: not prevented here. Clients that remember a version, and checkpoints, notice."""
    old = alice.row()
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=WRONG)
    newest = alice.complete(alice.begin_release()).receipt.version
    alice.desk.store.rows[old.record_id] = old
    alice.desk.restart()
    assert alice.desk.describe("alice").attempts_left == 10
    ceremony = alice.begin_release()
    assert ceremony.statement.version < newest
    assert alice.complete(ceremony).receipt.version < newest


def test_deleted_vault_put_back_before_a_restarted_keeper_still_asks_for_its_passkey(alice: Person) -> None:
    old = alice.row()
    alice.complete(alice.begin_delete())
    alice.desk.store.rows[old.record_id] = old
    alice.desk.restart()
    thief = Person(alice.desk)
    stolen = alice.begin_release()
    refuses("NOT_VERIFIED", alice, stolen, thief.judge_call(stolen))


def test_no_row_is_noticed_by_the_keeper_that_saw_one(alice: Person) -> None:
    with refused_for("STALE"):
        alice.begin_registration(no_row=True)
    ceremony = alice.begin_release()
    call = alice.judge_call(ceremony)
    call.ClearField("row")
    refuses("STALE", alice, ceremony, call)


def test_no_row_before_a_restarted_keeper_begins_at_version_zero(alice: Person) -> None:
    """Stated: a second enrollment, which clients that remember a version refuse. What was stored is not in it."""
    del alice.desk.store.rows[alice.desk.record_id("alice")]
    alice.desk.restart()
    assert alice.desk.describe("alice").state == resources_pb2.VAULT_STATE_NONE
    ceremony = alice.begin_registration()
    assert ceremony.statement.version == 0
    alice.complete(ceremony)
    with refused_for("NO_VAULT"):
        alice.begin_release()


def test_row_of_another_account_is_refused_under_its_own_id_and_under_ours(alice: Person) -> None:
    bob = Person(alice.desk, "bob")
    bob.enroll()
    with refused_for("RecordRejected"):
        alice.begin_release(row=bob.row())
    moved = bob.row()
    moved.record_id = alice.desk.record_id("alice")
    alice.desk.restart()
    with refused_for("RecordRejected"):
        alice.begin_release(row=moved)


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("version", [0, 1, 3, 2**64 - 1])
def test_row_under_another_version_is_refused(alice: Person, version: int, *, restarted: bool) -> None:
    """An old ledger under a new number would pass every memory of versions."""
    raised = alice.row()
    raised.version = version
    alice.begin_release()
    if restarted:
        alice.desk.restart()
    with pytest.raises(Refused) as caught:
        alice.begin_release(row=raised)
    assert str(caught.value) == ("STALE" if version == 1 and not restarted else "RecordRejected")
    alice.begin_release()


@pytest.mark.parametrize("position", [0, 1, 4, 5, 36, 37, 500, -1])
def test_row_with_a_changed_bit_is_refused_and_does_not_shut_out_the_right_one(alice: Person, position: int) -> None:
    changed = bytearray(alice.row().sealed)
    changed[position] ^= 1
    spoilt = alice.row()
    spoilt.sealed = bytes(changed)
    alice.desk.restart()
    with refused_for("RecordRejected"):
        alice.begin_release(row=spoilt)
    alice.begin_release()


def test_event_or_vault_row_in_place_of_a_record_is_refused(alice: Person) -> None:
    event = alice.desk.store.events[alice.desk.record_id("alice")][0].sealed
    for sealed in (event, alice.desk.vault_sealed, b"", bytes(100)):
        other = alice.row()
        other.sealed = sealed
        alice.desk.restart()
        with refused_for("RecordRejected"):
            alice.begin_release(row=other)


@pytest.mark.parametrize("changes", [{"account": "bob"}, {"tenant": "acme"}, {"version": 7}], ids=str)
def test_record_that_names_another_account_than_its_token_is_refused_even_under_a_right_seal(
    alice: Person, changes: dict[str, object]
) -> None:
    """Only who can ask the token could make one: the last line of defence."""
    row, token = alice.row(), alice.desk.token
    held = decode_record(
        derive_one_time_key(token, parse_header(row.sealed)).open(
            Kind.RECORD, record_id=row.record_id, version=row.version, sealed=row.sealed
        )
    )
    forged = encode_record(replace(held, **changes))  # type: ignore[arg-type]  # names and types are the record's
    key = draw_one_time_key(token, epoch=1, random=os.urandom)
    row.sealed = key.seal(Kind.RECORD, record_id=row.record_id, version=row.version, plaintext=forged)
    alice.desk.restart()
    with refused_for("RecordRejected"):
        alice.begin_release(row=row)
