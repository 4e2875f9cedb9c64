"""A front that does what it likes with whatever changes who may sign: grants, nonces and changes that are not theirs.

What it gets, and what it never gets (docs/threat-model.md). Above all: nothing is unwrapped but for a release that a
passkey of the record presented has signed for.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2, vault_service_pb2
from tests.fakes.desk import Desk, Refused, refused_for
from tests.fakes.owner import Owner, enrolled
from tests.fakes.person import open_release, refuses
from tests.fakes.recording import Entry, RecordingToken
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy
from tests.fakes.whole_life import POLICY, Life

OPERATIONS = [value for name, value in frames_pb2.Operation.items() if value != frames_pb2.OPERATION_UNSPECIFIED]
RELEASE, RESET = frames_pb2.OPERATION_RELEASE, frames_pb2.OPERATION_RESET
ORDERS = {RESET, ERASE, CANCEL}


@pytest.fixture
def life(tmp_path: Path) -> Life:
    journal: list[Entry] = []
    owner = Owner(Desk(tmp_path, token=RecordingToken(journal)))
    journal.clear()  # of the known answers at the start
    return Life(owner, journal, Tenancy(owner.desk))


def test_grant_is_answered_as_the_operation_that_it_is_of_and_no_other(life: Life) -> None:
    """A grant taken for a release would give out envelopes for a signature over something else."""
    for granted in life.whole():
        before = life.unwraps()
        for operation in OPERATIONS:
            call = frames_pb2.FulfilCall()
            call.CopyFrom(granted.fulfil)
            call.operation = frames_pb2.Operation.ValueType(operation)
            if operation == granted.operation:
                continue
            with refused_for("BEGIN_AGAIN"):
                life.owner.desk.call(frames_pb2.KeeperCall(fulfil=call))
        assert life.unwraps() == before
    assert life.seen == set(OPERATIONS)


def test_nothing_is_unwrapped_but_for_a_release(life: Life) -> None:
    for granted in life.whole():
        before = life.unwraps()
        call = frames_pb2.FulfilCall()
        call.CopyFrom(granted.fulfil)
        call.operation = frames_pb2.Operation.ValueType(granted.operation)
        life.owner.desk.call(frames_pb2.KeeperCall(fulfil=call))
        assert (life.unwraps() > before) is (granted.operation == RELEASE)
    life.owner.desk.describe("alice")
    life.owner.desk.list_events("alice")
    life.tenancy.page()


def test_grant_of_another_account_is_answered_to_nobody_else(life: Life) -> None:
    """Neither with the thief's token over the victim's row, nor over his own."""
    bob = enrolled(life.owner.desk, "bob")
    for granted in life.whole():
        for row in (life.owner.row(), bob.row()):
            call = frames_pb2.FulfilCall()
            call.CopyFrom(granted.fulfil)
            call.operation = frames_pb2.Operation.ValueType(granted.operation)
            call.account_token = bob.account_token("vault reset")
            call.tenant_caller.account = "bob"
            call.row.CopyFrom(row)
            with refused_for("RecordRejected" if row.record_id == life.owner.row().record_id else "BEGIN_AGAIN"):
                life.owner.desk.call(frames_pb2.KeeperCall(fulfil=call))
    assert life.unwraps() == 1, "that of the life's own release, by its second passkey"


@pytest.mark.parametrize("operation", [RESET, ERASE, CANCEL])
def test_nonce_that_is_a_ceremonys_challenge_answers_no_ceremony(life: Life, operation: int) -> None:
    """A front knows every challenge, and may ask for an order under it; ceremonies it answers as before."""
    owner = life.owner
    owner.enroll()
    if operation == CANCEL:
        life.tenancy.order(ERASE)
    ceremony = owner.begin_release()
    order = frames_pb2.Operation.ValueType(operation)
    call = (
        owner.reset_call(ceremony.challenge)
        if order == RESET
        else life.tenancy.judge_call(order, nonce=ceremony.challenge)
    )
    owner.desk.store.commit(owner.judge(call).commit)
    with refused_for("BEGIN_AGAIN"):
        owner.fulfil(ceremony)
    refuses("BEGIN_AGAIN", owner, ceremony, owner.judge_call(ceremony))
    assert life.unwraps() == 0


def test_change_that_is_not_committed_is_answered_from_no_row_that_is(life: Life) -> None:
    owner = life.owner
    owner.enroll()
    addition = owner.begin_addition()
    verdict = owner.judge(owner.addition_call(addition))
    assert verdict.HasField("commit")
    with refused_for("BEGIN_AGAIN"):
        owner.fulfil(addition.add)
    assert [each.credential_id for each in owner.shown().credentials] == [owner.passkey.credential_id]
    nonce = os.urandom(32)
    assert owner.judge(owner.reset_call(nonce)).HasField("commit")
    fulfil = frames_pb2.FulfilCall(account_token=life.token, row=owner.row(), operation=RESET, nonce=nonce)
    with refused_for("BEGIN_AGAIN"):
        owner.desk.call(frames_pb2.KeeperCall(fulfil=fulfil))
    assert owner.shown().state == resources_pb2.VAULT_STATE_LIVE


def test_front_that_goes_on_from_an_addition_it_never_commits_has_the_users_passkeys_alone(life: Life) -> None:
    """Stated: a fork of the record, in which only those sign whom a user's own assertion has let in; its age shows."""
    owner = life.owner
    owner.enroll(b"for one")
    addition = owner.begin_addition(envelope=b"for both")
    fork = owner.judge(owner.addition_call(addition)).commit.row
    owner.passkey = addition.passkey
    ceremony = owner.begin_release(row=fork)
    call = owner.judge_call(ceremony)
    call.row.CopyFrom(fork)
    released = owner.judge(call).commit.row
    signed = owner.fulfil(ceremony, row=released)
    assert open_release(ceremony, signed)[0].envelope == b"for both"
    assert (signed.receipt.version, owner.row().version) == (4, 2)
    assert signed.receipt.chain_head.hex() in owner.desk.fulfilments_path.read_text()
    stranger = Owner(owner.desk)
    foreign = stranger.begin_release(row=released)
    call = stranger.judge_call(foreign)
    call.row.CopyFrom(released)
    with refused_for("NOT_VERIFIED"):
        stranger.judge(call)


def test_removal_that_is_not_committed_leaves_the_passkey_and_no_receipt(life: Life) -> None:
    """Stated: a front can leave a removal out. The user has no receipt of it, and the record shows the passkey."""
    owner = life.owner
    owner.enroll()
    second = owner.add()
    removal = owner.begin_removal(second)
    assert owner.judge(owner.judge_call(removal, envelope=b"without")).HasField("commit")
    with refused_for("BEGIN_AGAIN"):
        owner.fulfil(removal)
    assert second.credential_id in {each.credential_id for each in owner.shown().credentials}


def test_token_of_either_kind_is_none_of_the_other_whatever_is_asked(life: Life) -> None:
    owner = life.owner
    owner.enroll()
    tenant_token, account_token = (
        life.tenancy.token("vault reset erase feed"),
        owner.account_token("vault reset erase feed"),
    )
    ceremony = owner.begin_release()
    judge = owner.judge_call(ceremony)
    judge.account_token = tenant_token
    reset = owner.reset_call(os.urandom(32))
    reset.account_token = tenant_token
    calls = [frames_pb2.KeeperCall(judge=judge), frames_pb2.KeeperCall(judge=reset)]
    for operation in (ERASE, CANCEL):
        order = life.tenancy.judge_call(operation, nonce=os.urandom(32), token=account_token)
        order.account_token = account_token
        calls.append(frames_pb2.KeeperCall(judge=order))
    feed = life.tenancy.feed_call(events=owner.desk.store.feed, token=account_token)
    calls.append(frames_pb2.KeeperCall(list_tenant_events=feed))
    for call in calls:
        with refused_for("TOKEN_REJECTED"):
            owner.desk.call(call)


def test_reset_without_the_scope_is_neither_judged_nor_answered(life: Life) -> None:
    owner = life.owner
    owner.enroll()
    with refused_for("SCOPE_MISSING"):
        owner.judge(owner.reset_call(os.urandom(32), scope="vault"))
    nonce = os.urandom(32)
    owner.reset(nonce)
    fulfil = frames_pb2.FulfilCall(
        account_token=owner.account_token("vault"), row=owner.row(), operation=RESET, nonce=nonce
    )
    with refused_for("SCOPE_MISSING"):
        owner.desk.call(frames_pb2.KeeperCall(fulfil=fulfil))


def test_front_that_tells_the_keeper_of_another_operation_completes_none(life: Life) -> None:
    """Each ceremony, brought with everything that any operation needs, as each other operation."""
    owner = life.owner
    owner.enroll()
    addition = owner.begin_addition()
    for ceremony in (
        addition.add,
        owner.begin_removal(owner.passkey),
        owner.begin_policy(POLICY),
        owner.begin_delete(),
    ):
        for operation in OPERATIONS:
            if operation in {ceremony.operation, *ORDERS}:
                continue
            call = owner.with_attestation(addition, owner.judge_call(ceremony, envelope=b"for both"))
            call.operation = frames_pb2.Operation.ValueType(operation)
            refuses("CEREMONY_REJECTED", owner, ceremony, call)
    assert owner.row().version == 2


def test_what_an_order_is_brought_beside_its_nonce_is_not_looked_at(life: Life) -> None:
    """A reset under a user's assertion is still no more than a reset."""
    owner = life.owner
    owner.enroll(b"the user's")
    ceremony = owner.begin_release()
    call = owner.reset_call(os.urandom(32))
    signed = owner.judge_call(ceremony)
    call.ceremony = signed.ceremony
    call.assertion.CopyFrom(signed.assertion)
    owner.desk.store.commit(owner.judge(call).commit)
    shown = owner.shown()
    assert shown.state == resources_pb2.VAULT_STATE_EMPTY
    assert shown.HasField("set_aside")
    with pytest.raises(Refused):
        owner.fulfil(ceremony)
    assert vault_service_pb2.VaultReply.FromString(shown.SerializeToString()).archives == []
