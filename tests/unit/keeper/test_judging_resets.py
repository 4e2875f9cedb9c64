"""Resets before the real keeper: who may, what is set aside, who brings it back, and what is shown of it."""

from __future__ import annotations

import os

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import CLOSED, SET_ASIDE, Owner, enrolled, make_passkey
from tests.fakes.passkey import Forgery
from tests.fakes.person import refuses

WRONG = Forgery(unsigned=True)
DAY = 86_400
GRACE = 30 * DAY
NONCE = b"N" * 32


@pytest.fixture
def owner(desk: Desk) -> Owner:
    """Reset a moment ago, with a confirmed archive and an unconfirmed one."""
    person = enrolled(desk, envelope=b"old")
    person.release(opened=2)
    person.complete(person.begin_store(), envelope=b"old, newer")
    person.reset(NONCE)
    return person


def thief(owner: Owner) -> Owner:
    """Has the account's tokens, and enrolls a passkey of his own into the empty life."""
    other = Owner(owner.desk, passkey=make_passkey())
    other.enroll(b"the thief's")
    return other


# Who may


def test_reset_needs_the_scope_for_it(desk: Desk) -> None:
    owner = enrolled(desk)
    for scope in ("vault", "vault erase", "vault resets", "vault feed"):
        with refused_for("SCOPE_MISSING"):
            owner.reset(scope=scope)
    with refused_for("TOKEN_REJECTED"):
        owner.reset(scope="reset")
    assert owner.row().version == 2


def test_fulfilling_a_reset_needs_the_scope_too(owner: Owner) -> None:
    call = frames_pb2.FulfilCall(
        account_token=owner.account_token("vault"),
        row=owner.row(),
        operation=frames_pb2.OPERATION_RESET,
        nonce=NONCE,
    )
    with refused_for("SCOPE_MISSING"):
        owner.desk.call(frames_pb2.KeeperCall(fulfil=call))


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33)])
def test_reset_needs_a_nonce_of_32_bytes(desk: Desk, nonce: bytes) -> None:
    owner = enrolled(desk)
    with refused_for("INVALID_FIELD"):
        owner.reset(nonce)


def test_account_without_a_vault_has_nothing_to_reset(desk: Desk) -> None:
    owner = Owner(desk)
    with refused_for("NO_VAULT"):
        owner.reset()
    owner.complete(owner.begin_registration())
    with refused_for("NO_VAULT"):
        owner.reset()


# What it does


def test_reset_reveals_nothing_and_says_when_the_old_state_goes(owner: Owner) -> None:
    signed = owner.reset(NONCE)
    reply = vault_service_pb2.ResetVaultReply.FromString(signed.reply)
    assert reply.erase_time.ToMilliseconds() == owner.desk.clock.now() + 1_000 * GRACE
    assert [field.name for field, _ in reply.ListFields()] == ["erase_time"]
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, event.outcome) == (event_pb2.EVENT_KIND_RESET, event_pb2.EVENT_OUTCOME_GRANTED)
    assert event.erase_time == reply.erase_time
    assert not event.HasField("assertion")
    assert (event.ceremony, event.cose_key) == (b"", b"")


def test_old_life_is_shown_with_its_credentials_and_no_envelope(owner: Owner) -> None:
    shown = owner.shown()
    assert shown.state == resources_pb2.VAULT_STATE_EMPTY
    assert (list(shown.credentials), list(shown.archives), shown.recovery_public_key) == ([], [], b"")
    aside = shown.set_aside
    assert [each.credential_id for each in aside.credentials] == [owner.passkey.credential_id]
    assert [(each.archive_version, each.confirmed) for each in aside.archives] == [(4, False), (2, True)]
    assert len(aside.recovery_public_key) == 32
    assert (aside.attempts_left, aside.HasField("cool_down_end_time")) == (10, False)
    now = owner.desk.clock.now()
    assert aside.set_aside_time.ToMilliseconds() == now
    assert aside.erase_time.ToMilliseconds() == now + 1_000 * GRACE


def test_every_ceremony_tells_of_what_is_set_aside(owner: Owner) -> None:
    """The client signs over it, so no front can keep it from the user who enrolls anew."""
    statement = thief(owner).begin_release().statement
    assert statement.set_aside_erase_time == owner.shown().set_aside.erase_time
    assert not statement.HasField("account_erase_time")
    assert not enrolled(owner.desk, "bob").begin_release().statement.HasField("set_aside_erase_time")


def test_ceremony_of_a_reopening_is_about_the_old_lifes_credentials(owner: Owner) -> None:
    other = thief(owner)
    begun = {}
    for name, request in {
        "reopen": ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), reopen=ceremony_pb2.ReopenOperation(target=SET_ASIDE)
        ),
        "delete": ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), delete=ceremony_pb2.DeleteOperation()),
    }.items():
        call = frames_pb2.BeginCall(
            account_token=owner.desk.account_token("alice"), request=request.SerializeToString(), row=owner.row()
        )
        begun[name] = owner.desk.call(frames_pb2.KeeperCall(begin=call)).begin
    assert [each.credential_id for each in begun["reopen"].credentials] == [owner.passkey.credential_id]
    assert [each.credential_id for each in begun["delete"].credentials] == [other.passkey.credential_id]
    digests = {
        name: ceremony_pb2.Statement.FromString(each.ceremony[:-32]).credential_set_sha256
        for name, each in begun.items()
    }
    assert digests["reopen"] != digests["delete"]
    assert begun["reopen"].recovery_public_key == owner.shown().set_aside.recovery_public_key


def test_same_nonce_is_answered_again_at_one_version_for_two_minutes(owner: Owner) -> None:
    version, before = owner.row().version, owner.reset(NONCE)
    owner.desk.clock.advance(seconds=119)
    again = owner.reset(NONCE)
    assert (again.reply, again.receipt.version, owner.row().version) == (before.reply, version, version)
    owner.desk.clock.advance(seconds=1)
    with refused_for("RESET_PENDING"):
        owner.reset(NONCE)


def test_nonce_of_another_account_or_operation_answers_nothing(owner: Owner) -> None:
    bob = enrolled(owner.desk, "bob")
    for person, operation in ((bob, frames_pb2.OPERATION_RESET), (owner, frames_pb2.OPERATION_DELETE)):
        call = frames_pb2.FulfilCall(
            account_token=person.account_token("vault reset"), row=person.row(), operation=operation, nonce=NONCE
        )
        with refused_for("BEGIN_AGAIN"):
            owner.desk.call(frames_pb2.KeeperCall(fulfil=call))


def test_second_reset_waits_for_the_first(owner: Owner) -> None:
    with refused_for("RESET_PENDING"):
        owner.reset()
    thief(owner)
    with refused_for("RESET_PENDING"):
        owner.reset()


def test_token_of_the_account_and_a_reset_open_nothing(owner: Owner) -> None:
    """What a thief of logins gets: an empty vault of his own."""
    other = thief(owner)
    assert [each.envelope for each in other.release()] == [b"the thief's"]
    ceremony = other.begin_reopening(SET_ASIDE)
    refuses("NOT_VERIFIED", other, ceremony, other.judge_call(ceremony))
    assert owner.shown().set_aside.attempts_left == 10


# Coming back


def test_passkey_of_the_old_life_brings_it_back_and_the_newer_one_is_gone(owner: Owner) -> None:
    other = thief(owner)
    granted = other.begin_release()
    other.complete(granted)
    owner.complete(owner.begin_reopening(SET_ASIDE))
    shown = owner.shown()
    assert (shown.state, shown.HasField("set_aside")) == (resources_pb2.VAULT_STATE_LIVE, False)
    assert [each.credential_id for each in shown.credentials] == [owner.passkey.credential_id]
    assert [each.envelope for each in owner.release()] == [b"old, newer", b"old"]
    with refused_for("BEGIN_AGAIN"):
        other.fulfil(granted)
    with refused_for("NOT_VERIFIED"):
        other.release()


def test_recovery_credential_of_the_old_life_brings_it_back(owner: Owner) -> None:
    ceremony = owner.begin_reopening(SET_ASIDE)
    owner.complete_call(ceremony, owner.recovery_call(ceremony))
    assert [each.envelope for each in owner.release()] == [b"old, newer", b"old"]
    event = owner.desk.list_events("alice").events[1]
    assert (event.kind, event.about_set_aside) == (event_pb2.EVENT_KIND_REOPEN, True)
    assert event.assertion.HasField("recovery")


def test_ceremony_for_what_is_set_aside_is_none_for_what_is_closed(owner: Owner) -> None:
    with refused_for("NO_VAULT"):
        owner.begin_reopening(CLOSED)
    other = thief(owner)
    with refused_for("INVALID_FIELD"):
        other.begin_reopening(CLOSED)


def test_failed_reopening_is_counted_and_shown_in_the_old_life(owner: Owner) -> None:
    for _ in range(4):
        with refused_for("NOT_VERIFIED"):
            owner.complete(owner.begin_reopening(SET_ASIDE), forgery=WRONG)
    aside = owner.shown().set_aside
    now = owner.desk.clock.now()
    assert (aside.attempts_left, owner.shown().attempts_left) == (6, 10)
    assert aside.cool_down_end_time.ToMilliseconds() == now + 60_000
    assert aside.erase_time.ToMilliseconds() == now + 1_000 * (GRACE + 60), "the grace stands still meanwhile"
    event = owner.desk.list_events("alice").events[0]
    assert (event.failures, event.about_set_aside, event.erase_time) == (4, True, aside.erase_time)
    with refused_for("COOLING_DOWN"):
        owner.begin_reopening(SET_ASIDE)
    owner.desk.clock.advance(seconds=60)
    assert not owner.shown().set_aside.HasField("cool_down_end_time")
    owner.complete(owner.begin_reopening(SET_ASIDE))


def test_reopening_is_answered_again(owner: Owner) -> None:
    ceremony = owner.begin_reopening(SET_ASIDE)
    signed = owner.complete(ceremony)
    again = owner.complete(ceremony)
    assert (signed.receipt.version, signed.receipt.chain_head) == (again.receipt.version, again.receipt.chain_head)


# Going


def test_old_life_is_gone_when_its_time_has_come_swept_or_not(owner: Owner) -> None:
    other = thief(owner)
    owner.desk.clock.advance(seconds=GRACE - 1)
    ceremony = owner.begin_reopening(SET_ASIDE)
    owner.desk.clock.advance(seconds=1)
    assert not owner.shown().HasField("set_aside")
    assert not other.begin_release().statement.HasField("set_aside_erase_time")
    refuses("NO_VAULT", owner, ceremony, owner.judge_call(ceremony))
    with refused_for("NO_VAULT"):
        owner.begin_reopening(SET_ASIDE)


def test_sweep_makes_it_durable_with_an_event_and_only_once(owner: Owner) -> None:
    other = thief(owner)
    assert owner.sweep() is False
    owner.desk.clock.advance(seconds=GRACE)
    assert owner.sweep() is True
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, list(event.swept)) == (event_pb2.EVENT_KIND_SWEEP, [event_pb2.SWEPT_SET_ASIDE])
    assert (event.ceremony, event.HasField("assertion")) == (b"", False)
    assert owner.sweep() is False
    assert [each.envelope for each in other.release()] == [b"the thief's"]


def test_next_change_erases_it_too_and_says_so(owner: Owner) -> None:
    other = thief(owner)
    owner.desk.clock.advance(seconds=GRACE)
    other.release()
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, list(event.swept)) == (event_pb2.EVENT_KIND_RELEASE, [event_pb2.SWEPT_SET_ASIDE])
    assert owner.sweep() is False
