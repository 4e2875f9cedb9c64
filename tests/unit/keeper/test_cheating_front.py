"""A front that does what it likes with the steps: what it gets, and what it never gets (docs/threat-model.md)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.fulfilments import FulfilmentLog
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person, open_release, refuses

WRONG = Forgery(unsigned=True)


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
    assert (signed.receipt.version, alice.row().version) == (3, 2)
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
        with refused_for("BEGIN_AGAIN"):
            alice.fulfil(replace(granted, operation=operation))
    bob = Person(alice.desk, "bob")
    bob.enroll()
    with refused_for("BEGIN_AGAIN"):
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
            account_token=token, row=alice.row(), ceremony=ceremony.ceremony, operation=frames_pb2.OPERATION_RELEASE
        )
        with refused_for(reason):
            alice.desk.call(frames_pb2.KeeperCall(fulfil=call))
