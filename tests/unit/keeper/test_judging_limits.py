"""Recovery replaced, quarantine lifted, limits set, a vault closed and reopened, before the real keeper."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.json_format import MessageToDict, ParseDict

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_service.domain.policy import OnExhaustion, Policy
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import CLOSED, Owner, enrolled
from tests.fakes.passkey import Forgery
from tests.fakes.person import RECOVERY_KEY, RECOVERY_SEED, Ceremony, open_release, refuses
from tests.fakes.tenant import FakeTenant

WRONG = Forgery(unsigned=True)
WEEK = 7 * 86_400
OTHER_SEED = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
OTHER_KEY = OTHER_SEED.public_key().public_bytes_raw()
LIMITS = resources_pb2.Policy(
    budget=2,
    cool_down_seconds=[30],
    on_exhaustion=resources_pb2.ON_EXHAUSTION_LOCK,
    releases_per_day=7,
    reset_grace_seconds=86_400,
)


@pytest.fixture
def owner(desk: Desk) -> Owner:
    return enrolled(desk)


@pytest.fixture
def closing(tmp_path: Path) -> Owner:
    """Of a tenant whose vaults lock, without cool-downs before."""
    policy = Policy(on_exhaustion=OnExhaustion.LOCK, cool_down_seconds=())
    return enrolled(Desk(tmp_path, tenant=FakeTenant(policy=policy)))


# The recovery credential


def test_recovery_credential_is_replaced_with_the_envelope_that_its_new_key_opens(owner: Owner) -> None:
    owner.release(opened=2)
    signed = owner.complete(owner.begin_recovery(OTHER_KEY, envelope=b"anew"), envelope=b"anew")
    reply = vault_service_pb2.SetRecoveryReply.FromString(signed.reply)
    assert (reply.archive_version, reply.envelope_sha256) == (4, hashlib.sha256(b"anew").digest())
    assert owner.shown().recovery_public_key == OTHER_KEY
    ceremony = owner.begin_release()
    released = open_release(ceremony, owner.complete_call(ceremony, owner.recovery_call(ceremony, seed=OTHER_SEED)))
    assert [(each.archive_version, each.envelope) for each in released] == [(4, b"anew"), (2, b"first")]


def test_old_recovery_credential_may_do_nothing_any_more(owner: Owner) -> None:
    """Not even have again what it was granted: the confirmed envelope is still there."""
    owner.release(opened=2)
    granted = owner.begin_release()
    owner.complete_call(granted, owner.recovery_call(granted))
    owner.complete(owner.begin_recovery(OTHER_KEY), envelope=b"recoverable")
    with refused_for("BEGIN_AGAIN"):
        owner.fulfil(granted)
    ceremony = owner.begin_release()
    refuses("NOT_VERIFIED", owner, ceremony, owner.recovery_call(ceremony))
    assert owner.shown().attempts_left == 10, "an unknown key costs no attempt"


@pytest.mark.parametrize("public_key", [RECOVERY_KEY, bytes(31), b""], ids=["the same", "short", "none"])
def test_recovery_key_that_cannot_take_its_place_is_named(owner: Owner, public_key: bytes) -> None:
    with refused_for("INVALID_FIELD"):
        owner.begin_recovery(public_key)


def test_recovery_key_of_small_order_is_refused(owner: Owner) -> None:
    with refused_for("NOT_VERIFIED"):
        owner.begin_recovery((1).to_bytes(32, "little"))


def removal(owner: Owner) -> Ceremony:
    return owner.begin_removal(owner.passkey)


def recovery(owner: Owner) -> Ceremony:
    return owner.begin_recovery(OTHER_KEY)


def policy(owner: Owner) -> Ceremony:
    return owner.begin_policy(LIMITS)


def lift(owner: Owner) -> Ceremony:
    """By way of a passkey whose counter went back."""
    suspect = Owner(owner.desk, passkey=owner.add())
    suspect.release()
    with refused_for("NOT_VERIFIED"):
        suspect.release(forgery=Forgery(sign_count=1))
    return owner.begin_lift(suspect.passkey)


@pytest.mark.parametrize("begin", [removal, recovery, policy, lift], ids=lambda begin: begin.__name__)
def test_recovery_credential_has_no_say_in_it(owner: Owner, begin: Callable[[Owner], Ceremony]) -> None:
    """Refused unjudged, even where its signature is right: it may release, add and reopen."""
    ceremony = begin(owner)
    call = owner.recovery_call(ceremony)
    envelope = {
        frames_pb2.OPERATION_REMOVE_CREDENTIAL: b"without",
        frames_pb2.OPERATION_SET_RECOVERY: b"recoverable",
    }.get(frames_pb2.Operation.ValueType(ceremony.operation), b"")
    if envelope:
        call.sealed_envelope, call.transport_key_id = owner.seal(ceremony, envelope)
    version = owner.row().version
    refuses("NOT_VERIFIED", owner, ceremony, call)
    assert owner.row().version == version
    owner.complete(ceremony, envelope=envelope)


# Quarantine


def test_quarantine_is_lifted_by_another_passkey_and_the_counter_starts_anew(owner: Owner) -> None:
    suspect = Owner(owner.desk, passkey=owner.add())
    suspect.release()
    with refused_for("NOT_VERIFIED"):
        suspect.release(forgery=Forgery(sign_count=1))
    with refused_for("NOT_VERIFIED"):
        suspect.release()
    owner.complete(owner.begin_lift(suspect.passkey))
    suspect.passkey.sign_count = 0  # as of an authenticator that was reset
    assert len(suspect.release()) == 1
    assert [each.quarantined for each in owner.shown().credentials] == [False, False]


def test_quarantined_passkey_does_not_lift_its_own_quarantine(owner: Owner) -> None:
    suspect = Owner(owner.desk, passkey=owner.add())
    suspect.release()
    with refused_for("NOT_VERIFIED"):
        suspect.release(forgery=Forgery(sign_count=1))
    ceremony = suspect.begin_lift(suspect.passkey)
    with refused_for("NOT_VERIFIED"):
        suspect.complete(ceremony)
    event = owner.desk.list_events("alice").events[0]
    assert (event.outcome, event.reason) == (event_pb2.EVENT_OUTCOME_REFUSED, "quarantined")
    assert {each.quarantined for each in owner.shown().credentials} == {True, False}


def test_passkey_that_is_not_in_quarantine_cannot_be_lifted(owner: Owner) -> None:
    with refused_for("INVALID_FIELD"):
        owner.begin_lift(owner.passkey)


# Limits


def test_limits_are_all_set_and_take_effect_for_the_next_failure(owner: Owner) -> None:
    owner.complete(owner.begin_policy(LIMITS))
    shown = owner.shown()
    assert shown.policy == LIMITS
    assert (shown.attempts_left, shown.releases_left) == (2, 7)
    owner.fails(2)
    assert owner.shown().closed


@pytest.mark.parametrize("field", [field.name for field in resources_pb2.Policy.DESCRIPTOR.fields])
def test_no_limit_keeps_its_old_value_by_being_left_out(owner: Owner, field: str) -> None:
    stated = MessageToDict(LIMITS, preserving_proto_field_name=True)
    del stated[field]
    limits = ParseDict(stated, resources_pb2.Policy())
    if field == "cool_down_seconds":
        owner.complete(owner.begin_policy(limits))
        assert list(owner.shown().policy.cool_down_seconds) == []
        return
    with refused_for("INVALID_FIELD"):
        owner.begin_policy(limits)


# Closed


def test_vault_that_locks_is_closed_for_seven_days_and_refuses_unjudged(closing: Owner) -> None:
    closing.fails(10)
    shown = closing.shown()
    assert (shown.state, shown.closed, shown.attempts_left) == (resources_pb2.VAULT_STATE_LIVE, True, 0)
    left = shown.cool_down_end_time.ToMilliseconds() - closing.desk.clock.now()
    assert left == 1_000 * WEEK
    assert closing.desk.list_events("alice").events[0].outcome == event_pb2.EVENT_OUTCOME_EXHAUSTED
    version = closing.row().version
    closing.desk.clock.advance(seconds=WEEK - 1)
    with refused_for("VAULT_CLOSED"):
        closing.begin_release()
    assert closing.row().version == version


def test_after_seven_days_one_good_assertion_reopens_and_a_wrong_one_closes_again(closing: Owner) -> None:
    closing.fails(10)
    closing.desk.clock.advance(seconds=WEEK)
    with refused_for("NOT_VERIFIED"):
        closing.release(forgery=WRONG)
    with refused_for("VAULT_CLOSED"):
        closing.begin_release()
    closing.desk.clock.advance(seconds=WEEK)
    assert [each.envelope for each in closing.release()] == [b"first"]
    assert (closing.shown().closed, closing.shown().attempts_left) == (False, 10)


def test_recovery_credential_reopens_at_once_and_a_passkey_does_not(closing: Owner) -> None:
    closing.fails(10)
    ceremony = closing.begin_reopening(CLOSED)
    refuses("VAULT_CLOSED", closing, ceremony, closing.judge_call(ceremony))
    closing.complete_call(ceremony, closing.recovery_call(ceremony))
    assert (closing.shown().closed, closing.shown().attempts_left) == (False, 10)
    assert [each.envelope for each in closing.release()] == [b"first"]


def test_wrong_recovery_signature_while_closed_closes_for_no_longer(closing: Owner) -> None:
    closing.fails(10)
    ends_at = closing.shown().cool_down_end_time.ToMilliseconds()
    closing.desk.clock.advance(seconds=WEEK - 10)
    ceremony = closing.begin_reopening(CLOSED)
    with refused_for("NOT_VERIFIED"):
        closing.complete_call(ceremony, closing.recovery_call(ceremony, message=b"a guess"))
    shown = closing.shown()
    assert (shown.attempts_left, shown.closed) == (0, True)
    assert shown.cool_down_end_time.ToMilliseconds() == ends_at


def test_vault_that_is_not_closed_is_not_reopened(closing: Owner) -> None:
    closing.fails(9)
    with refused_for("INVALID_FIELD"):
        closing.begin_reopening(CLOSED)


def test_release_granted_before_the_vault_was_closed_is_not_answered_again(closing: Owner) -> None:
    granted = closing.begin_release()
    closing.complete(granted)
    closing.fails(10)
    with refused_for("BEGIN_AGAIN"):
        closing.fulfil(granted)


def test_empty_recovery_key_is_nobodys(closing: Owner) -> None:
    """Before the first store there is no recovery credential: an empty key is not it, and nothing breaks by asking."""
    bob = Owner(closing.desk, "bob")
    bob.complete(bob.begin_registration())
    for _ in range(10):
        with refused_for("NOT_VERIFIED"):
            bob.complete(bob.begin_store(), forgery=WRONG, envelope=b"an envelope")
    ceremony = bob.begin_reopening(CLOSED)
    call = bob.recovery_call(ceremony, seed=RECOVERY_SEED)
    refuses("NOT_VERIFIED", bob, ceremony, call)
    call.assertion.recovery.public_key = b""
    refuses("NOT_VERIFIED", bob, ceremony, call)
