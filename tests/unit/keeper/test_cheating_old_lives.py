"""Older rows before a keeper that never saw newer ones: what they undo, and that each use still needs a signature.

Stated in the threat model ("What an old row still allows"), a test for each line. Clients that remember a version
notice, and so do checkpoints; a keeper that saw the newer row refuses the older one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import SET_ASIDE, Owner, enrolled
from tests.fakes.passkey import Forgery
from tests.fakes.person import RECOVERY_SEED, open_release, refuses
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy

DAY = 86_400
GRACE_DAYS = 30
STRICT = resources_pb2.Policy(
    budget=3, on_exhaustion=resources_pb2.ON_EXHAUSTION_DESTROY, releases_per_day=1, reset_grace_seconds=DAY
)


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    return enrolled(Desk(tmp_path))


def put_back(owner: Owner, row: frames_pb2.Row) -> None:
    """The database goes back, and the keeper that saw it go on is gone."""
    owner.desk.store.rows[row.record_id] = row
    owner.desk.restart()


def remove_second(owner: Owner) -> None:
    owner.complete(owner.begin_removal(owner.add()), envelope=b"without")


def lift(owner: Owner) -> None:
    """Take a second passkey in, and out of a quarantine that it fell into."""
    first, second = owner.passkey, owner.add()
    owner.passkey = second
    owner.release()
    with refused_for("NOT_VERIFIED"):
        owner.release(forgery=Forgery(sign_count=1))
    owner.passkey = first
    owner.complete(owner.begin_lift(second))


def replace_recovery(owner: Owner) -> None:
    new = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    owner.complete(owner.begin_recovery(new), envelope=b"recoverable")


def be_erased(owner: Owner) -> None:
    Tenancy(owner.desk).order(ERASE)
    owner.desk.clock.advance(seconds=GRACE_DAYS * DAY + 1)
    owner.sweep()


CHANGES: dict[str, Callable[[Owner], object]] = {
    "addition": Owner.add,
    "removal": remove_second,
    "recovery replaced": replace_recovery,
    "quarantine lifted": lift,
    "limits set": lambda owner: owner.complete(owner.begin_policy(STRICT)),
    "reset": Owner.reset,
    "reset and reopened": lambda owner: (owner.reset(), owner.complete(owner.begin_reopening(SET_ASIDE))),
    "erasure asked for": lambda owner: Tenancy(owner.desk).order(ERASE),
    "erasure taken back": lambda owner: (Tenancy(owner.desk).order(ERASE), Tenancy(owner.desk).order(CANCEL)),
    "erased": be_erased,
    "deleted": lambda owner: owner.complete(owner.begin_delete()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_row_from_before_a_change_is_noticed_by_the_keeper_that_saw_it(owner: Owner, change: str) -> None:
    old = owner.row()
    CHANGES[change](owner)
    owner.desk.describe("alice")
    assert owner.row().version > old.version
    with refused_for("STALE"):
        owner.begin_release(row=old)
    ceremony = owner.begin_registration() if change in {"deleted", "reset", "erased"} else owner.begin_release()
    call = owner.judge_call(ceremony)
    call.row.CopyFrom(old)
    refuses("STALE", owner, ceremony, call)
    reset = owner.reset_call(bytes(32))
    reset.row.CopyFrom(old)
    with refused_for("STALE"):
        owner.judge(reset)


@pytest.mark.parametrize("change", CHANGES)
def test_row_from_before_a_change_still_asks_for_its_passkey_and_shows_its_age(owner: Owner, change: str) -> None:
    old = owner.row()
    CHANGES[change](owner)
    newest = owner.row().version
    put_back(owner, old)
    stranger = Owner(owner.desk)
    ceremony = owner.begin_release()
    refuses("NOT_VERIFIED", owner, ceremony, stranger.judge_call(ceremony))
    signed = owner.complete(ceremony)
    assert open_release(ceremony, signed)[0].envelope == b"first"
    assert ceremony.statement.version < newest


def test_passkey_that_was_removed_since_is_back_and_signs_for_itself_only(owner: Owner) -> None:
    second = owner.add(envelope=b"for both")
    old = owner.row()
    owner.complete(owner.begin_removal(second, envelope=b"without"), envelope=b"without")
    put_back(owner, old)
    owner.passkey = second
    assert owner.release()[0].envelope == b"for both"


def test_recovery_credential_that_was_replaced_since_is_back(owner: Owner) -> None:
    old = owner.row()
    replace_recovery(owner)
    ceremony = owner.begin_release()
    refuses("NOT_VERIFIED", owner, ceremony, owner.recovery_call(ceremony))
    put_back(owner, old)
    ceremony = owner.begin_release()
    signed = owner.complete_call(ceremony, owner.recovery_call(ceremony, seed=RECOVERY_SEED))
    assert open_release(ceremony, signed)[0].envelope == b"first"


def test_quarantine_since_is_forgotten(owner: Owner) -> None:
    """And with it the counter: an authenticator that was cloned signs again, until its counter goes back once more."""
    owner.add()
    owner.release()
    old = owner.row()
    with refused_for("NOT_VERIFIED"):
        owner.release(forgery=Forgery(sign_count=1))
    with refused_for("NOT_VERIFIED"):
        owner.release()
    put_back(owner, old)
    owner.release()


def test_reset_since_is_undone_and_the_newer_life_with_it(owner: Owner) -> None:
    old = owner.row()
    owner.reset()
    thief = Owner(owner.desk)
    thief.enroll(b"the thief's")
    put_back(owner, old)
    assert not owner.shown().HasField("set_aside")
    assert owner.release()[0].envelope == b"first"


def test_what_was_set_aside_is_gone_in_its_time_in_an_old_row_too(owner: Owner) -> None:
    """Time is the keeper's own: no row brings back what was due."""
    owner.reset()
    old = owner.row()
    owner.desk.clock.advance(seconds=GRACE_DAYS * DAY + 1)
    owner.sweep()
    put_back(owner, old)
    assert not owner.shown().HasField("set_aside")
    with refused_for("NO_VAULT"):
        owner.begin_reopening(SET_ASIDE)


def test_row_from_before_the_reset_of_what_was_swept_since_is_the_vault_again(owner: Owner) -> None:
    """Stated: what was erased is in older rows, wrapped, until the epoch of its keys is destroyed."""
    old = owner.row()
    owner.reset()
    owner.desk.clock.advance(seconds=GRACE_DAYS * DAY + 1)
    owner.sweep()
    put_back(owner, old)
    assert owner.release()[0].envelope == b"first"


def test_erasure_that_was_pending_takes_effect_in_an_old_row_too(owner: Owner) -> None:
    Tenancy(owner.desk).order(ERASE)
    pending = owner.row()
    Tenancy(owner.desk).order(CANCEL)
    put_back(owner, pending)
    assert owner.shown().HasField("account_erase_time")
    owner.desk.clock.advance(seconds=GRACE_DAYS * DAY + 1)
    assert owner.shown().state == resources_pb2.VAULT_STATE_ERASED
    with refused_for("NO_VAULT"):
        owner.begin_release()


def test_second_reset_is_possible_from_an_old_row_and_keeps_the_old_life_aside(owner: Owner) -> None:
    """Stated: who writes the database and has an account token resets anew, which hides a first one; nothing opens."""
    old = owner.row()
    owner.reset()
    put_back(owner, old)
    owner.reset()
    shown = owner.shown()
    assert [each.credential_id for each in shown.set_aside.credentials] == [owner.passkey.credential_id]
    owner.complete(owner.begin_reopening(SET_ASIDE))
    assert owner.release()[0].envelope == b"first"


def test_no_row_takes_no_order(owner: Owner) -> None:
    del owner.desk.store.rows[owner.desk.record_id("alice")]
    owner.desk.restart()
    with refused_for("NO_VAULT"):
        owner.judge(owner.reset_call(bytes(32)))
    for operation, reason in ((ERASE, "NO_VAULT"), (CANCEL, "NO_ERASURE_PENDING")):
        with refused_for(reason):
            Tenancy(owner.desk).order(operation)


def test_order_over_a_row_that_is_not_the_accounts_is_refused(owner: Owner) -> None:
    bob = enrolled(owner.desk, "bob")
    call = bob.reset_call(bytes(32))
    call.row.CopyFrom(owner.row())
    order = Tenancy(owner.desk).judge_call(ERASE, "bob", nonce=bytes(32), row=owner.row())
    for judged in (call, order):
        with refused_for("RecordRejected"):
            owner.judge(judged)
    assert owner.shown().state == resources_pb2.VAULT_STATE_LIVE
