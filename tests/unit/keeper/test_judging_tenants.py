"""What a tenant may ask the real keeper: to erase an account after a wait; and whose token is for what."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2, resources_pb2, tenant_service_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import SET_ASIDE, Owner, enrolled
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy
from tests.fakes.tenant import FakeTenant

WAIT = 30 * 86_400
NONCE = b"N" * 32


@pytest.fixture
def other() -> FakeTenant:
    return FakeTenant(name="photos", issuer="https://login.photos.example")


@pytest.fixture
def desk(tmp_path: Path, other: FakeTenant) -> Desk:
    return Desk(tmp_path, others=[other])


@pytest.fixture
def owner(desk: Desk) -> Owner:
    return enrolled(desk)


@pytest.fixture
def tenancy(desk: Desk) -> Tenancy:
    return Tenancy(desk)


# The erasure


def test_erasure_waits_and_is_shown_to_the_account_everywhere(owner: Owner, tenancy: Tenancy) -> None:
    signed = tenancy.order(ERASE)
    reply = tenant_service_pb2.EraseAccountReply.FromString(signed.reply)
    erase_at = owner.desk.clock.now() + 1_000 * WAIT
    assert (reply.account, reply.erase_time.ToMilliseconds()) == ("alice", erase_at)
    assert owner.shown().account_erase_time.ToMilliseconds() == erase_at
    assert owner.begin_release().statement.account_erase_time.ToMilliseconds() == erase_at
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, event.erase_time) == (event_pb2.EVENT_KIND_ERASE_ACCOUNT, reply.erase_time)
    assert [each.envelope for each in owner.release()] == [b"first"]


def test_tenant_takes_it_back_and_nothing_is_lost(owner: Owner, tenancy: Tenancy) -> None:
    tenancy.order(ERASE)
    owner.desk.clock.advance(seconds=WAIT - 1)
    signed = tenancy.order(CANCEL)
    assert tenant_service_pb2.CancelEraseAccountReply.FromString(signed.reply).account == "alice"
    assert not owner.shown().HasField("account_erase_time")
    owner.desk.clock.advance(seconds=1)
    assert [each.envelope for each in owner.release()] == [b"first"]


def test_erased_account_holds_nothing_whether_swept_or_not(owner: Owner, tenancy: Tenancy) -> None:
    owner.reset()
    owner.passkey = Owner(owner.desk).passkey
    owner.enroll(b"second")
    tenancy.order(ERASE)
    owner.desk.clock.advance(seconds=WAIT)
    shown = owner.shown()
    assert (shown.state, shown.HasField("set_aside"), list(shown.credentials)) == (
        resources_pb2.VAULT_STATE_ERASED,
        False,
        [],
    )
    with refused_for("NO_VAULT"):
        owner.begin_release()
    with refused_for("NO_VAULT"):
        owner.begin_reopening(SET_ASIDE)
    assert owner.sweep() is True
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, list(event.swept)) == (event_pb2.EVENT_KIND_SWEEP, [event_pb2.SWEPT_ACCOUNT])
    owner.enroll(b"third")
    assert owner.shown().life == 3


def test_pending_and_nothing_pending_are_told(owner: Owner, tenancy: Tenancy) -> None:
    with refused_for("NO_ERASURE_PENDING"):
        tenancy.order(CANCEL)
    with refused_for("NO_ERASURE_PENDING"):
        tenancy.order(CANCEL, "nobody")
    with refused_for("NO_VAULT"):
        tenancy.order(ERASE, "nobody")
    tenancy.order(ERASE)
    with refused_for("ERASURE_PENDING"):
        tenancy.order(ERASE)


def test_same_nonce_is_answered_again_for_two_minutes(owner: Owner, tenancy: Tenancy) -> None:
    first = tenancy.order(ERASE, nonce=NONCE)
    owner.desk.clock.advance(seconds=119)
    again = tenancy.order(ERASE, nonce=NONCE)
    assert (first.reply, first.receipt.version) == (again.reply, again.receipt.version)
    owner.desk.clock.advance(seconds=1)
    with refused_for("ERASURE_PENDING"):
        tenancy.order(ERASE, nonce=NONCE)


def test_nonce_of_an_erasure_answers_no_other_account_and_no_cancellation(owner: Owner, tenancy: Tenancy) -> None:
    enrolled(owner.desk, "bob")
    tenancy.order(ERASE, nonce=NONCE)
    for account, operation in (("bob", ERASE), ("alice", CANCEL)):
        caller = frames_pb2.TenantCaller(tenant_token=tenancy.token("erase"), account=account)
        call = frames_pb2.FulfilCall(
            tenant_caller=caller, row=owner.desk.row(account), operation=operation, nonce=NONCE
        )
        with refused_for("BEGIN_AGAIN"):
            owner.desk.call(frames_pb2.KeeperCall(fulfil=call))


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33)])
def test_erasure_needs_a_nonce_of_32_bytes(owner: Owner, tenancy: Tenancy, nonce: bytes) -> None:
    with refused_for("INVALID_FIELD"):
        tenancy.order(ERASE, nonce=nonce)


@pytest.mark.parametrize("account", ["", "x" * 256, "a\nb"])
def test_account_must_be_one(owner: Owner, tenancy: Tenancy, account: str) -> None:
    call = tenancy.judge_call(ERASE, "alice", nonce=NONCE)
    call.tenant_caller.account = account
    with refused_for("INVALID_FIELD"):
        owner.desk.call(frames_pb2.KeeperCall(judge=call))


# Whose token is for what


def test_scopes_are_not_each_others(owner: Owner, tenancy: Tenancy) -> None:
    with refused_for("SCOPE_MISSING"):
        tenancy.order(ERASE, token=tenancy.token("feed"))
    with refused_for("SCOPE_MISSING"):
        tenancy.ask(tenancy.feed_call(events=[], token=tenancy.token("erase")))
    assert owner.row().version == 2


def test_account_token_is_no_tenants_whatever_it_claims(owner: Owner, tenancy: Tenancy) -> None:
    forged = [
        owner.account_token("vault"),
        owner.account_token("vault reset erase feed"),
        tenancy.token("vault erase", sub="alice"),
        tenancy.token("erase", typ="JWT"),
        tenancy.token("erase", typ="strongroom-account+jwt"),
        tenancy.token("erase", typ=None),
        tenancy.token("erase", aud="https://elsewhere.example"),
    ]
    for token in forged:
        for operation in (ERASE, CANCEL):
            with refused_for("TOKEN_REJECTED"):
                tenancy.order(operation, token=token)
    assert owner.row().version == 2


def test_tenant_token_is_no_accounts(owner: Owner, tenancy: Tenancy) -> None:
    for token in (
        tenancy.token("vault"),
        tenancy.token("vault reset erase"),
        tenancy.token("vault", sub="alice"),
        tenancy.token("vault reset", sub="alice", typ="strongroom-tenant+jwt"),
    ):
        describe = frames_pb2.DescribeRecordCall(account_token=token, nonce=NONCE, row=owner.row())
        with refused_for("TOKEN_REJECTED"):
            owner.desk.call(frames_pb2.KeeperCall(describe_record=describe))
        reset = owner.reset_call(NONCE)
        reset.account_token = token
        with refused_for("TOKEN_REJECTED"):
            owner.judge(reset)


def test_token_in_the_place_of_the_other_is_not_looked_at(owner: Owner, tenancy: Tenancy) -> None:
    """A front that sends a good account token along with an erasure, or a tenant's with a reset, gains nothing."""
    erasure = tenancy.judge_call(ERASE, nonce=NONCE, token="x.y.z")
    erasure.account_token = owner.account_token("vault reset")
    reset = owner.reset_call(NONCE)
    reset.ClearField("account_token")
    reset.tenant_caller.CopyFrom(frames_pb2.TenantCaller(tenant_token=tenancy.token("erase"), account="alice"))
    for call in (erasure, reset):
        with refused_for("TOKEN_REJECTED"):
            owner.judge(call)


def test_account_cannot_take_the_erasure_back(owner: Owner, tenancy: Tenancy) -> None:
    tenancy.order(ERASE)
    call = owner.reset_call(NONCE)
    call.operation = CANCEL
    with refused_for("TOKEN_REJECTED"):
        owner.judge(call)
    release = owner.begin_release()
    judged = owner.judge_call(release)
    judged.operation = CANCEL
    with refused_for("TOKEN_REJECTED"):
        owner.judge(judged)
    owner.reset()
    owner.complete(owner.begin_reopening(SET_ASIDE))
    owner.complete(owner.begin_delete())
    assert owner.shown().HasField("account_erase_time")


def test_account_of_another_tenant_is_out_of_reach(owner: Owner, other: FakeTenant) -> None:
    """Whichever row the front presents: the id is derived from who signed the token."""
    stranger = Tenancy(owner.desk, other)
    with refused_for("RecordRejected"):
        owner.judge(stranger.judge_call(ERASE, nonce=NONCE))
    call = stranger.judge_call(ERASE, nonce=NONCE)
    call.ClearField("row")
    with refused_for("NO_VAULT"):
        owner.judge(call)
    forged = stranger.token("erase", iss=owner.desk.tenant.issuer)
    with refused_for("TOKEN_REJECTED"):
        owner.judge(stranger.judge_call(ERASE, nonce=NONCE, token=forged))


def test_order_is_bound_to_the_row_that_was_presented(owner: Owner, tenancy: Tenancy) -> None:
    bob = enrolled(owner.desk, "bob")
    with refused_for("RecordRejected"):
        owner.judge(tenancy.judge_call(ERASE, "alice", nonce=NONCE, row=bob.row()))
    stale = owner.row()
    owner.release()
    with refused_for("STALE"):
        owner.judge(tenancy.judge_call(ERASE, nonce=NONCE, row=stale))
