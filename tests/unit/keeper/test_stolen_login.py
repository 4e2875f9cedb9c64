"""Who holds an account's tokens, the scope `reset` included, and no credential: what that costs its owner.

Stated in the threat model ("holds an account token", "Why destroy", "Limits that remain"), a test for each. GetVault
shows such a thief the ids of passkeys and the recovery public key, so each attempt can be made to count.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.v1 import event_pb2, resources_pb2
from strongroom_service.domain.policy import OnExhaustion, Policy
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import CLOSED, SET_ASIDE, Owner, enrolled
from tests.fakes.passkey import Forgery
from tests.fakes.person import refuses
from tests.fakes.tenant import FakeTenant

WRONG = Forgery(unsigned=True)
HOUR, DAY = 3_600, 86_400


def owner_under(folder: Path, on_exhaustion: OnExhaustion) -> Owner:
    return enrolled(Desk(folder, tenant=FakeTenant(policy=Policy(on_exhaustion=on_exhaustion))))


@pytest.fixture
def destroying(tmp_path: Path) -> Owner:
    return owner_under(tmp_path, OnExhaustion.DESTROY)


@pytest.fixture
def locking(tmp_path: Path) -> Owner:
    return owner_under(tmp_path, OnExhaustion.LOCK)


def fail_to_reopen(thief: Owner) -> None:
    """One counted failure at what is set aside, as soon as it may be made."""
    aside = thief.shown().set_aside
    if aside.HasField("cool_down_end_time"):
        until = aside.cool_down_end_time.ToMilliseconds()
        thief.desk.clock.advance(seconds=(until - thief.desk.clock.now()) // 1_000)
    with refused_for("NOT_VERIFIED"):
        thief.complete(thief.begin_reopening(SET_ASIDE), forgery=WRONG)


def test_each_failure_ends_the_owners_live_ceremony_and_no_more(destroying: Owner) -> None:
    """Stated: a thief can make the owner begin again; cool-downs make that slow, and the owner's success ends it."""
    thief, ceremony = destroying, destroying.begin_release()
    with refused_for("NOT_VERIFIED"):
        thief.release(forgery=WRONG)
    refuses("BEGIN_AGAIN", destroying, ceremony, destroying.judge_call(ceremony))
    assert [each.envelope for each in destroying.release()] == [b"first"]
    assert destroying.shown().attempts_left == 10


def test_false_recovery_signatures_neither_keep_a_vault_closed_nor_destroy_it(locking: Owner) -> None:
    """Stated: these are judged at any time, so only rates slow them; between any two the recovery key reopens."""
    locking.fails(10)
    ends_at = locking.shown().cool_down_end_time.ToMilliseconds()
    for _ in range(30):
        locking.desk.clock.advance(seconds=HOUR)
        ceremony = locking.begin_reopening(CLOSED)
        with refused_for("NOT_VERIFIED"):
            locking.complete_call(ceremony, locking.recovery_call(ceremony, message=b"a guess"))
    shown = locking.shown()
    assert (shown.state, shown.closed, shown.attempts_left) == (resources_pb2.VAULT_STATE_LIVE, True, 0)
    assert shown.cool_down_end_time.ToMilliseconds() == ends_at
    newest = locking.desk.list_events("alice").events[0]
    assert newest.outcome == event_pb2.EVENT_OUTCOME_EXHAUSTED
    ceremony = locking.begin_reopening(CLOSED)
    locking.complete_call(ceremony, locking.recovery_call(ceremony))
    assert [each.envelope for each in locking.release()] == [b"first"]


def test_what_is_set_aside_is_used_up_no_sooner_than_a_vault_and_in_sight(destroying: Owner) -> None:
    """Stated: under `destroy` ten wrong signatures destroy it too, over 33 hours, each in history and shown."""
    thief, since = destroying, destroying.desk.clock.now()
    thief.reset()
    for left in range(9, 0, -1):
        fail_to_reopen(thief)
        assert thief.shown().set_aside.attempts_left == left
    fail_to_reopen(thief)
    assert thief.desk.clock.now() - since >= 33 * HOUR * 1_000
    assert not thief.shown().HasField("set_aside")
    outcomes = [event.outcome for event in thief.desk.list_events("alice").events[:10]]
    assert outcomes == [event_pb2.EVENT_OUTCOME_EXHAUSTED, *([event_pb2.EVENT_OUTCOME_FAILED] * 9)]


def test_what_is_set_aside_under_lock_outlives_every_failure(locking: Owner) -> None:
    thief = locking
    thief.reset()
    erased_at = thief.shown().set_aside.erase_time.ToMilliseconds()
    for _ in range(12):
        fail_to_reopen(thief)
    aside = thief.shown().set_aside
    assert aside.attempts_left == 0
    assert aside.erase_time.ToMilliseconds() > erased_at
    thief.desk.clock.advance(seconds=7 * DAY)
    locking.complete(locking.begin_reopening(SET_ASIDE))
    assert [each.envelope for each in locking.release()] == [b"first"]


def test_nothing_is_ever_released_to_a_login_alone(destroying: Owner) -> None:
    thief = Owner(destroying.desk)
    thief.reset()
    thief.enroll(b"the thief's")
    assert [each.envelope for each in thief.release()] == [b"the thief's"]
    ceremony = thief.begin_reopening(SET_ASIDE)
    refuses("NOT_VERIFIED", thief, ceremony, thief.judge_call(ceremony))
    destroying.complete(destroying.begin_reopening(SET_ASIDE))
    assert [each.envelope for each in destroying.release()] == [b"first"]
