"""A front that does what it likes with rows and steps: what it gets, and what it never gets (docs/threat-model.md)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.record_codec import decode_record, encode_record
from strongroom_service.keeper.formats.sealing import (
    Kind,
    derive_one_time_key,
    draw_one_time_key,
    parse_header,
)
from strongroom_service.keeper.fulfilments import FulfilmentLog
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person, open_release, refuses

WRONG = Forgery(unsigned=True)


def row_of(person: Person) -> frames_pb2.Row:
    row = person.desk.row(person.account)
    assert row is not None
    copy = frames_pb2.Row()
    copy.CopyFrom(row)
    return copy


def test_front_that_commits_nothing_has_unlimited_attempts_and_no_release(alice: Person) -> None:
    """Stated in the threat model: such a front is not bound by the budget; it still needs a right signature."""
    for _ in range(30):
        ceremony = alice.begin_release()
        verdict = alice.judge(alice.judge_call(ceremony, forgery=WRONG))
        assert verdict.commit.refusal.reason == "NOT_VERIFIED"
        with refused_for("BEGIN_AGAIN"):
            alice.fulfil(ceremony)
    assert alice.desk.describe("alice").attempts_left == 10
    assert len(alice.desk.list_events("alice").events) == 2


def test_front_that_fulfils_an_uncommitted_failure_gets_nothing(alice: Person) -> None:
    ceremony = alice.begin_release()
    verdict = alice.judge(alice.judge_call(ceremony, forgery=WRONG))
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(ceremony, row=verdict.commit.row)


def test_front_that_fulfils_an_uncommitted_success_serves_the_client_and_gives_itself_away(alice: Person) -> None:
    """It needed the user's assertion, the answer is sealed to the user, the keeper's log has what the store lacks."""
    ceremony = alice.begin_release()
    verdict = alice.judge(alice.judge_call(ceremony))
    signed = alice.fulfil(ceremony, row=verdict.commit.row)
    assert len(open_release(ceremony, signed)) == 1
    assert (signed.receipt.version, row_of(alice).version) == (3, 2)
    assert signed.receipt.chain_head.hex() in alice.desk.fulfilments_path.read_text()
    with refused_for("STALE"):
        alice.desk.describe("alice")


def test_nothing_is_answered_that_the_fulfilment_log_did_not_take(alice: Person) -> None:
    """The grant stays, so that the same completion is answered once the disk has room again."""
    ceremony = alice.begin_release()
    alice.desk.store.commit(alice.judge(alice.judge_call(ceremony)).commit)
    room, alice.desk.fulfilments_path = alice.desk.fulfilments_path, Path("/dev/full")
    alice.desk.restart()
    with refused_for("Misconfigured"):
        alice.fulfil(ceremony)
    alice.desk.fulfilments_path = room
    alice.desk.restart()
    assert len(open_release(ceremony, alice.fulfil(ceremony))) == 1


def test_fulfilment_log_that_is_a_link_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match="cannot be opened"):
        FulfilmentLog(tmp_path / "link")


def test_older_row_is_noticed_by_the_keeper_that_saw_a_newer_one(alice: Person) -> None:
    old = row_of(alice)
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
    old = row_of(alice)
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
    old = row_of(alice)
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
        alice.begin_release(row=row_of(bob))
    moved = row_of(bob)
    moved.record_id = alice.desk.record_id("alice")
    alice.desk.restart()
    with refused_for("RecordRejected"):
        alice.begin_release(row=moved)


def test_row_under_another_version_is_refused(alice: Person) -> None:
    """An old ledger under a new number would pass every memory of versions."""
    for version in (0, 1, 3, 2**64 - 1):
        raised = row_of(alice)
        raised.version = version
        alice.desk.restart()
        with refused_for("RecordRejected"):
            alice.begin_release(row=raised)


@pytest.mark.parametrize("position", [0, 1, 4, 5, 36, 37, 500, -1])
def test_row_with_a_changed_bit_is_refused_and_does_not_shut_out_the_right_one(alice: Person, position: int) -> None:
    changed = bytearray(row_of(alice).sealed)
    changed[position] ^= 1
    spoilt = row_of(alice)
    spoilt.sealed = bytes(changed)
    alice.desk.restart()
    with refused_for("RecordRejected"):
        alice.begin_release(row=spoilt)
    alice.begin_release()


def test_event_or_vault_row_in_place_of_a_record_is_refused(alice: Person) -> None:
    event = alice.desk.store.events[alice.desk.record_id("alice")][0].sealed
    for sealed in (event, alice.desk.vault_sealed, b"", bytes(100)):
        other = row_of(alice)
        other.sealed = sealed
        alice.desk.restart()
        with refused_for("RecordRejected"):
            alice.begin_release(row=other)


@pytest.mark.parametrize("changes", [{"account": "bob"}, {"tenant": "acme"}, {"version": 7}], ids=str)
def test_record_that_names_another_account_than_its_token_is_refused_even_under_a_right_seal(
    alice: Person, changes: dict[str, object]
) -> None:
    """Only who can ask the token could make one: the last line of defence."""
    row, token = row_of(alice), alice.desk.token
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


def test_front_that_names_its_own_recipient_has_no_assertion_for_it(alice: Person) -> None:
    """The front begins beside the user, and brings the user's assertion to its own ceremony."""
    of_user = alice.begin_release()
    own = X25519PrivateKey.generate()
    of_front = Ceremony(
        alice.begin_release_to(own.public_key().public_bytes_raw()), frames_pb2.OPERATION_RELEASE, recipient=own
    )
    call = alice.judge_call(of_front)
    call.assertion.CopyFrom(alice.judge_call(of_user).assertion)
    refuses("NOT_VERIFIED", alice, of_front, call)
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(of_front)


def test_front_that_completes_another_operation_with_a_users_assertion_is_refused(alice: Person) -> None:
    release = alice.begin_release()
    call = alice.judge_call(release)
    call.operation = frames_pb2.OPERATION_DELETE
    refuses("CEREMONY_REJECTED", alice, release, call)
    deletion = alice.begin_delete()
    call = alice.judge_call(deletion)
    call.assertion.CopyFrom(alice.judge_call(release).assertion)
    refuses("NOT_VERIFIED", alice, deletion, call)
    assert alice.desk.describe("alice").state == resources_pb2.VAULT_STATE_LIVE


def test_front_that_registers_its_own_passkey_is_named_in_the_signed_reply(desk: Desk) -> None:
    """Nobody has signed for this account yet, so the keeper cannot tell; the client can, from reply and receipt."""
    alice, front = Person(desk), Person(desk)
    ceremony = alice.begin_registration()
    signed = front.complete(ceremony)
    reply = vault_service_pb2.RegistrationReply.FromString(signed.reply)
    assert reply.credential_id == front.passkey.credential_id != alice.passkey.credential_id
    store = alice.begin_store()
    refuses("NOT_VERIFIED", alice, store, alice.judge_call(store, envelope=b"alice's envelope"))


def test_front_that_gives_one_release_for_another_gives_nothing(alice: Person) -> None:
    one = alice.begin_release()
    reply = alice.complete(one)
    other = alice.begin_release()
    alice.complete(other)
    with pytest.raises(InvalidTag):
        open_release(Ceremony(other.ceremony, other.operation, recipient=one.recipient), reply)
    with pytest.raises(InvalidTag):
        open_release(other, reply)


def test_front_that_asks_for_what_was_not_granted_gets_nothing(alice: Person) -> None:
    granted, other = alice.begin_release(), alice.begin_release()
    alice.complete(granted)
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(other)
    for operation in (frames_pb2.OPERATION_STORE, frames_pb2.OPERATION_DELETE, frames_pb2.OPERATION_REGISTER):
        with refused_for("CEREMONY_REJECTED"):
            alice.fulfil(replace(granted, operation=operation))
    bob = Person(alice.desk, "bob")
    bob.enroll()
    with refused_for("CEREMONY_REJECTED"):
        bob.fulfil(granted)


def test_front_without_the_accounts_token_gets_nothing(alice: Person) -> None:
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    of_bob = alice.desk.account_token("bob")
    expired = alice.desk.tenant.token(now=Millis(alice.desk.clock.now() - 700_000), account="alice")
    for token, reason in {
        "": "TOKEN_REJECTED",
        "x.y.z": "TOKEN_REJECTED",
        expired: "TOKEN_REJECTED",
        of_bob: "RecordRejected",
    }.items():
        call = frames_pb2.FulfilCall(
            account_token=token, row=row_of(alice), ceremony=ceremony.ceremony, operation=frames_pb2.OPERATION_RELEASE
        )
        with refused_for(reason):
            alice.desk.call(frames_pb2.KeeperCall(fulfil=call))
