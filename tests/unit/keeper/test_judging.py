"""Completions before the real keeper: what is judged, what is not, and what it costs."""

from __future__ import annotations

import base64
from collections.abc import Callable

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person, open_release, refuses

WRONG = Forgery(unsigned=True)


def version_of(person: Person) -> int:
    row = person.desk.row(person.account)
    return 0 if row is None else row.version


def test_enroll_release_confirm_store_delete(alice: Person) -> None:
    (first,) = alice.release()
    assert (first.archive_version, first.confirmed, first.envelope) == (2, False, b"alice's envelope")
    (again,) = alice.release(opened=2)
    assert (again.archive_version, again.confirmed, again.envelope) == (2, True, b"alice's envelope")
    alice.complete(alice.begin_store(), envelope=b"the next")
    assert [(each.archive_version, each.confirmed, each.envelope) for each in alice.release()] == [
        (5, False, b"the next"),
        (2, True, b"alice's envelope"),
    ]
    alice.complete(alice.begin_delete())
    shown = alice.desk.describe("alice")
    assert shown.state == resources_pb2.VAULT_STATE_DELETED
    assert (list(shown.credentials), list(shown.archives), shown.recovery_public_key) == ([], [], b"")
    with refused_for("NO_VAULT"):
        alice.begin_release()


def test_record_is_described_as_it_is(alice: Person) -> None:
    shown = alice.desk.describe("alice")
    assert (shown.tenant, shown.account, shown.state) == ("notes", "alice", resources_pb2.VAULT_STATE_LIVE)
    assert [each.credential_id for each in shown.credentials] == [alice.passkey.credential_id]
    assert (shown.attempts_left, shown.releases_left, shown.life) == (10, 20, 1)
    assert not shown.HasField("cool_down_end_time")
    assert alice.desk.describe("bob").state == resources_pb2.VAULT_STATE_NONE


def test_exactly_ten_wrong_signatures_are_judged_and_the_tenth_destroys(impatient_desk: Desk) -> None:
    alice = Person(impatient_desk)
    alice.enroll()
    for left in range(9, -1, -1):
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=WRONG)
        assert impatient_desk.describe("alice").attempts_left == left
    assert version_of(alice) == 12
    with refused_for("VAULT_EXHAUSTED"):
        alice.begin_release()
    shown = impatient_desk.describe("alice")
    assert shown.state == resources_pb2.VAULT_STATE_EXHAUSTED
    assert (list(shown.credentials), list(shown.archives)) == ([], [])


def test_last_attempt_may_still_be_right(impatient_desk: Desk) -> None:
    alice = Person(impatient_desk)
    alice.enroll()
    for _ in range(9):
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=WRONG)
    assert len(alice.release()) == 1
    assert impatient_desk.describe("alice").attempts_left == 10


def test_ladder_of_cool_downs_to_the_second(alice: Person) -> None:
    waits = []
    for _ in range(10):
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=WRONG)
        waits.append(0)
        while alice.desk.describe("alice").HasField("cool_down_end_time"):
            until = alice.desk.describe("alice").cool_down_end_time.ToMilliseconds()
            seconds = (until - alice.desk.clock.now()) // 1_000
            alice.desk.clock.advance(seconds=seconds - 1)
            with refused_for("COOLING_DOWN"):
                alice.begin_release()
            alice.desk.clock.advance(seconds=1)
            waits[-1] += seconds
    assert waits == [0, 0, 0, 60, 300, 900, 3_600, 28_800, 86_400, 0]
    assert alice.desk.describe("alice").state == resources_pb2.VAULT_STATE_EXHAUSTED


def test_of_two_completions_of_one_ceremony_one_is_judged(alice: Person) -> None:
    ceremony = alice.begin_release()
    wrong, right = alice.judge_call(ceremony, forgery=WRONG), alice.judge_call(ceremony)
    refuses("NOT_VERIFIED", alice, ceremony, wrong)
    right.row.CopyFrom(alice.desk.row("alice") or frames_pb2.Row())
    refuses("BEGIN_AGAIN", alice, ceremony, right)
    assert alice.desk.describe("alice").attempts_left == 9


def test_of_two_completions_judged_at_once_one_commits(alice: Person) -> None:
    one, other = alice.begin_release(), alice.begin_release()
    verdicts = [alice.judge(alice.judge_call(one)), alice.judge(alice.judge_call(other))]
    alice.desk.store.commit(verdicts[0].commit)
    with refused_for("VERSION_CONFLICT"):
        alice.desk.store.commit(verdicts[1].commit)
    alice.fulfil(one)
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(other)


def test_every_other_ceremony_dies_with_the_first_that_is_judged(alice: Person) -> None:
    used, waiting = alice.begin_release(), alice.begin_store()
    alice.complete(used)
    refuses("BEGIN_AGAIN", alice, waiting, alice.judge_call(waiting, envelope=b"late"))


def test_repeated_completion_gets_the_same_answer_under_a_new_seal_and_costs_nothing(alice: Person) -> None:
    ceremony = alice.begin_release()
    first, version = alice.complete(ceremony), version_of(alice)
    again = alice.complete(ceremony)
    assert version_of(alice) == version
    assert open_release(ceremony, again) == open_release(ceremony, first)
    assert (again.receipt.version, again.receipt.chain_head) == (first.receipt.version, first.receipt.chain_head)
    assert again.reply != first.reply
    assert again.receipt.signature != first.receipt.signature
    assert alice.desk.describe("alice").releases_left == 19


def test_repeated_completion_is_answered_whatever_it_brings_now(alice: Person) -> None:
    """The answer is sealed to whom the assertion named: bringing a wrong one later changes nothing."""
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    again = alice.complete(ceremony, forgery=WRONG)
    assert len(open_release(ceremony, again)) == 1
    assert alice.desk.describe("alice").attempts_left == 10


def test_repeated_completion_of_each_operation_is_answered(desk: Desk) -> None:
    alice = Person(desk)
    steps: list[tuple[Callable[[], Ceremony], bytes]] = [
        (alice.begin_registration, b""),
        (alice.begin_store, b"an envelope"),
        (alice.begin_release, b""),
        (alice.begin_delete, b""),
    ]
    for version, (begin, envelope) in enumerate(steps, start=1):
        ceremony = begin()
        first = alice.complete(ceremony, envelope=envelope)
        again = alice.complete(ceremony, envelope=envelope)
        assert (first.receipt.version, again.receipt.version) == (version, version)
        assert first.receipt.chain_head == again.receipt.chain_head


def test_answer_is_not_given_again_once_the_ceremony_has_ended(alice: Person) -> None:
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    alice.desk.clock.advance(seconds=119)
    alice.complete(ceremony)
    alice.desk.clock.advance(seconds=1)
    refuses("CEREMONY_EXPIRED", alice, ceremony, alice.judge_call(ceremony))
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(ceremony)


def test_answer_outlives_a_restart_of_the_keeper(alice: Person) -> None:
    ceremony = alice.begin_release()
    first = alice.complete(ceremony)
    alice.desk.restart()
    assert open_release(ceremony, alice.complete(ceremony)) == open_release(ceremony, first)


def test_event_holds_what_anybody_needs_to_check_who_signed(alice: Person) -> None:
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    newest, *older = alice.desk.list_events("alice").events
    assert (newest.version, newest.kind, newest.outcome) == (
        3,
        event_pb2.EVENT_KIND_RELEASE,
        event_pb2.EVENT_OUTCOME_GRANTED,
    )
    assert (newest.ceremony, newest.cose_key) == (ceremony.ceremony, alice.passkey.cose_key)
    assert newest.assertion.webauthn.credential_id == alice.passkey.credential_id
    challenge = base64.urlsafe_b64encode(ceremony.challenge).rstrip(b"=")
    assert challenge in newest.assertion.webauthn.client_data_json
    assert older[-1].HasField("attestation")
    assert older[-1].cose_key == alice.passkey.cose_key


def test_registration_answers_with_its_credential(desk: Desk) -> None:
    alice = Person(desk)
    signed = alice.complete(alice.begin_registration())
    reply = vault_service_pb2.RegistrationReply.FromString(signed.reply)
    assert reply.credential_id == alice.passkey.credential_id
