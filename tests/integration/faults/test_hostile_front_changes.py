"""A front taken over, at a real keeper's socket, with calls that change who may sign: refused, and the keeper stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2
from strongroom_service.link.frames import encode_frame
from tests.fakes.hand_client import Begun
from tests.fakes.hand_owner import POLICY, HandOwner
from tests.fakes.hand_tokens import account_token, tenant_token
from tests.fakes.stepped_vault import SteppedVault, keepers_of
from tests.integration.faults.test_hostile_front import ask, mutate, open_vault_call, row_of, socket_of
from tests.integration.link.support import RawClient

RESET = frames_pb2.OPERATION_RESET
ERASE, CANCEL = frames_pb2.OPERATION_ERASE_ACCOUNT, frames_pb2.OPERATION_CANCEL_ERASE_ACCOUNT
SWEEP_OF_OPERATORS = bytes.fromhex("923f00")  # field 1010 of OperatorCall, an empty message


@pytest.fixture
def owner(vault: SteppedVault) -> Iterator[HandOwner]:
    """Enrolled; afterwards served by the keepers that were there before, and in possession of what was stored."""
    before = keepers_of(vault)
    with HandOwner(vault) as owner:
        owner.enroll()
        yield owner
        assert owner.release() == [b"an envelope"]
    assert keepers_of(vault) == before


@pytest.fixture
def hostile(vault: SteppedVault) -> Iterator[RawClient]:
    """A connection of our own, on which the vault is open."""
    with closing(RawClient(socket_of(vault))) as raw:
        assert ask(raw, open_vault_call(vault)).HasField("open_vault")
        yield raw


def forged_calls(vault: SteppedVault, owner: HandOwner) -> list[tuple[str, frames_pb2.KeeperCall]]:
    """Calls that lack a signature, a scope, a token or a commit, with what must be said to each."""
    row, nonce = row_of(vault), os.urandom(32)
    with_vault = account_token(vault.tenant, owner.account, scope="vault")
    with_reset = account_token(vault.tenant, owner.account)
    of_tenant = tenant_token(vault.tenant)
    wrong_caller = frames_pb2.TenantCaller(tenant_token=with_reset, account=owner.account)
    caller = frames_pb2.TenantCaller(tenant_token=of_tenant, account=owner.account)
    addition, policy = owner.addition_request(), owner.begin_operation("set_policy", policy=POLICY)
    mixed = frames_pb2.JudgeCall(
        account_token=with_vault,
        row=row,
        operation=frames_pb2.OPERATION_ADD_CREDENTIAL,
        ceremony=addition.ceremony,
        assertion=addition.assertion,
        attestation=addition.attestation,
        attest_ceremony=addition.ceremony,
        sealed_envelope=addition.sealed_envelope,
        transport_key_id=addition.transport_key_id,
    )
    swapped = frames_pb2.JudgeCall()
    swapped.CopyFrom(mixed)
    swapped.attest_ceremony = addition.attest_ceremony
    swapped.assertion.CopyFrom(owner.assertion(policy))
    judges = [
        ("SCOPE_MISSING", frames_pb2.JudgeCall(account_token=with_vault, row=row, operation=RESET, nonce=nonce)),
        ("TOKEN_REJECTED", frames_pb2.JudgeCall(account_token=of_tenant, row=row, operation=RESET, nonce=nonce)),
        ("TOKEN_REJECTED", frames_pb2.JudgeCall(tenant_caller=wrong_caller, row=row, operation=ERASE, nonce=nonce)),
        ("NO_ERASURE_PENDING", frames_pb2.JudgeCall(tenant_caller=caller, row=row, operation=CANCEL, nonce=nonce)),
        ("INVALID_FIELD", frames_pb2.JudgeCall(tenant_caller=caller, row=row, operation=ERASE, nonce=b"short")),
        ("CEREMONY_REJECTED", mixed),
        ("NOT_VERIFIED", swapped),
        (
            "CEREMONY_REJECTED",
            frames_pb2.JudgeCall(
                account_token=with_vault,
                row=row,
                operation=frames_pb2.OPERATION_SET_RECOVERY,
                ceremony=policy.ceremony,
                assertion=owner.assertion(policy),
            ),
        ),
        (
            "NOT_VERIFIED",
            frames_pb2.JudgeCall(
                account_token=with_vault,
                row=row,
                operation=frames_pb2.OPERATION_SET_POLICY,
                ceremony=policy.ceremony,
                assertion=owner.signed_by_recovery(policy),
            ),
        ),
    ]
    fulfils = [
        frames_pb2.FulfilCall(account_token=with_reset, row=row, operation=RESET, nonce=nonce),
        frames_pb2.FulfilCall(tenant_caller=caller, row=row, operation=ERASE, nonce=nonce),
        frames_pb2.FulfilCall(
            account_token=with_vault,
            row=row,
            operation=frames_pb2.OPERATION_ADD_CREDENTIAL,
            ceremony=addition.ceremony,
        ),
    ]
    feed = frames_pb2.ListTenantEventsCall(tenant_caller=wrong_caller, nonce=nonce)
    forged_feed = frames_pb2.ListTenantEventsCall(tenant_caller=caller, nonce=nonce, cursor=bytes(40))
    return [
        *((reason, frames_pb2.KeeperCall(call_id=2, judge=call)) for reason, call in judges),
        *(("BEGIN_AGAIN", frames_pb2.KeeperCall(call_id=3, fulfil=call)) for call in fulfils),
        ("TOKEN_REJECTED", frames_pb2.KeeperCall(call_id=4, list_tenant_events=feed)),
        ("INVALID_FIELD", frames_pb2.KeeperCall(call_id=5, list_tenant_events=forged_feed)),
    ]


def said(reply: frames_pb2.KeeperReply) -> str:
    """The reason that a refusal has, at once or inside of what is to be committed."""
    if reply.HasField("judge"):
        return reply.judge.commit.refusal.reason
    return reply.refusal.reason


def test_forged_change_order_or_feed_is_refused(vault: SteppedVault, owner: HandOwner, hostile: RawClient) -> None:
    version = owner.vault_reply().archives[0].archive_version
    for reason, call in forged_calls(vault, owner):
        assert said(ask(hostile, call)) == reason, call
    after = owner.vault_reply()
    assert after.archives[0].archive_version == version
    assert after.state == resources_pb2.VAULT_STATE_LIVE
    assert not after.HasField("set_aside")
    assert not after.HasField("account_erase_time")


def test_order_that_was_not_committed_is_none(vault: SteppedVault, owner: HandOwner, hostile: RawClient) -> None:
    """Control beside it: with token and scope the keeper does judge it."""
    nonce, token = os.urandom(32), account_token(vault.tenant, owner.account)
    judge = frames_pb2.JudgeCall(account_token=token, row=row_of(vault), operation=RESET, nonce=nonce)
    order = ask(hostile, frames_pb2.KeeperCall(call_id=2, judge=judge)).judge.commit
    assert order.row.version == judge.row.version + 1
    fulfil = frames_pb2.FulfilCall(account_token=token, row=row_of(vault), operation=RESET, nonce=nonce)
    assert said(ask(hostile, frames_pb2.KeeperCall(call_id=3, fulfil=fulfil))) == "BEGIN_AGAIN"
    assert owner.vault_reply().state == resources_pb2.VAULT_STATE_LIVE


def test_sweeping_is_no_call_of_the_fronts(hostile: RawClient) -> None:
    call = frames_pb2.KeeperCall.FromString(frames_pb2.KeeperCall(call_id=2).SerializeToString() + SWEEP_OF_OPERATORS)
    assert ask(hostile, call).fault.kind == "Misconfigured"


def test_thousand_mutated_changes_leave_the_keeper_standing(vault: SteppedVault, owner: HandOwner) -> None:
    chance = Random(11)
    # Not those that lack so little that a changed bit may make them good: a tenant needs no signature.
    near = {"NO_ERASURE_PENDING", "INVALID_FIELD"}
    forged = [call.SerializeToString() for reason, call in forged_calls(vault, owner) if reason not in near]
    opening = open_vault_call(vault)
    raw: RawClient | None = None
    answered = ended = 0
    for _ in range(1_000):
        if raw is None:
            raw = RawClient(socket_of(vault))
            assert ask(raw, opening).HasField("open_vault")
        raw.socket.sendall(encode_frame(mutate(chance.choice(forged), chance)))
        reply = raw.receive()
        if reply is None:
            raw.close()
            raw = None
            ended += 1
        else:
            assert not reply.HasField("signed")
            assert not reply.HasField("judge") or reply.judge.commit.HasField("refusal")
            answered += 1
    if raw is not None:
        raw.close()
    assert answered > 100
    assert ended > 100


def test_begun_ceremony_of_the_first_owner_is_none_of_the_seconds(
    vault: SteppedVault, owner: HandOwner, hostile: RawClient
) -> None:
    """The victim's live ceremony and assertion, over the thief's own row and token."""
    begun: Begun = owner.begin_release()
    with HandOwner(vault) as thief:
        thief.enroll()
        judge = frames_pb2.JudgeCall(
            account_token=account_token(vault.tenant, thief.account),
            row=row_of(vault),
            operation=frames_pb2.OPERATION_RELEASE,
            ceremony=begun.ceremony,
            assertion=owner.assertion(begun),
        )
        assert said(ask(hostile, frames_pb2.KeeperCall(call_id=2, judge=judge))) == "CEREMONY_REJECTED"
        judge.account_token = account_token(vault.tenant, owner.account)
        assert ask(hostile, frames_pb2.KeeperCall(call_id=3, judge=judge)).fault.kind == "RecordRejected"
