"""A front that forges the history it shows: each page is checked against the chain, which it cannot make."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.records import next_head
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Person
from tests.fakes.tenant import FakeTenant


def stored(person: Person) -> list[frames_pb2.EventRow]:
    """Newest first."""
    return list(person.desk.store.events[person.desk.record_id(person.account)])


@pytest.fixture
def busy(desk: Desk) -> Person:
    """An account with six events."""
    person = Person(desk)
    person.enroll()
    for opened in (0, 2, 0, 0):
        person.release(opened=opened)
    return person


def test_history_is_shown_whole_and_in_order(busy: Person) -> None:
    page = busy.desk.list_events("alice")
    assert [event.version for event in page.events] == [6, 5, 4, 3, 2, 1]
    assert page.next_page_token == b""
    assert (page.tenant, page.account) == ("notes", "alice")


def test_chain_can_be_recomputed_from_the_sealed_events_alone(busy: Person) -> None:
    head = bytes(32)
    heads = {}
    for row in reversed(stored(busy)):
        head = next_head(head, row.sealed)
        heads[row.version] = head
    assert {event.version: event.chain_head for event in busy.desk.list_events("alice").events} == heads


def test_page_may_be_short_and_says_where_to_go_on(busy: Person) -> None:
    first = busy.desk.list_events("alice", events=stored(busy)[:2])
    assert [event.version for event in first.events] == [6, 5]
    rest = busy.desk.list_events("alice", page_token=first.next_page_token)
    assert [event.version for event in rest.events] == [4, 3, 2, 1]
    assert rest.next_page_token == b""


def test_page_ends_before_it_is_too_large(desk: Desk) -> None:
    policy = Policy(on_exhaustion=OnExhaustion.DESTROY, cool_down_seconds=(), budget=100)
    alice = Person(Desk(desk.fulfilments_path.parent, tenant=FakeTenant(policy=policy)))
    alice.enroll()
    long = {"padding": "x" * 3_000}
    for _ in range(20):
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=Forgery(client_data=long, unsigned=True))
    seen, token = [], b""
    while True:
        page = alice.desk.list_events("alice", page_token=token)
        assert page.ByteSize() <= 49 * 1024
        seen += [event.version for event in page.events]
        token = page.next_page_token
        if not token:
            break
    assert seen == list(range(22, 0, -1))


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda rows: rows[1:], id="the newest missing"),
        pytest.param(lambda rows: [rows[0], *rows[2:]], id="a gap"),
        pytest.param(lambda rows: [rows[1], rows[0], *rows[2:]], id="swapped"),
        pytest.param(lambda rows: rows[::-1], id="reversed"),
        pytest.param(lambda rows: [rows[0], *rows], id="repeated"),
        pytest.param(lambda rows: [*rows, rows[-1]], id="more than all"),
        pytest.param(lambda rows: [], id="empty"),
    ],
)
def test_page_with_a_wrong_sequence_is_refused(busy: Person, forge: object) -> None:
    assert callable(forge)
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=forge(stored(busy)))


@pytest.mark.parametrize("position", [0, 4, 5, 40, -1])
def test_altered_event_is_refused(busy: Person, position: int) -> None:
    rows = stored(busy)
    changed = bytearray(rows[2].sealed)
    changed[position] ^= 1
    rows[2] = frames_pb2.EventRow(version=rows[2].version, sealed=bytes(changed))
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=rows)


@pytest.mark.parametrize("epoch", [0, 2, 2**32 - 1])
def test_event_of_an_epoch_that_is_not_in_use_is_refused(busy: Person, epoch: int) -> None:
    rows = stored(busy)
    sealed = rows[0].sealed[:1] + epoch.to_bytes(4, "big") + rows[0].sealed[5:]
    rows[0] = frames_pb2.EventRow(version=6, sealed=sealed)
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=rows)
    assert not busy.desk.handler.spent


def test_renumbered_event_is_refused(busy: Person) -> None:
    rows = stored(busy)
    rows[0] = frames_pb2.EventRow(version=6, sealed=rows[1].sealed)
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=rows)


def test_event_of_another_account_is_refused(busy: Person) -> None:
    bob = Person(busy.desk, "bob")
    bob.enroll()
    for _ in range(4):
        bob.release()
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=[stored(bob)[0], *stored(busy)[1:]])


def test_event_of_an_attempt_that_was_not_committed_is_refused(busy: Person) -> None:
    """Right seal, right account, right version: but not in the chain."""
    forks = [busy.judge(busy.judge_call(busy.begin_release())).commit for _ in range(2)]
    busy.desk.store.commit(forks[0])
    other = frames_pb2.EventRow(version=7, sealed=forks[1].sealed_event)
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=[other, *stored(busy)[1:]])
    assert len(busy.desk.list_events("alice").events) == 7


def test_record_in_place_of_an_event_is_refused(busy: Person) -> None:
    row = busy.desk.row("alice")
    assert row is not None
    forged = frames_pb2.EventRow(version=6, sealed=row.sealed)
    with refused_for("RecordRejected"):
        busy.desk.list_events("alice", events=[forged, *stored(busy)[1:]])


def test_page_token_is_of_one_account_and_not_to_be_altered(busy: Person) -> None:
    bob = Person(busy.desk, "bob")
    bob.enroll()
    of_bob = busy.desk.list_events("bob", events=stored(bob)[:1]).next_page_token
    own = busy.desk.list_events("alice", events=stored(busy)[:2]).next_page_token
    spoilt = [own[:position] + bytes([own[position] ^ 1]) + own[position + 1 :] for position in (7, 8, 39, 40, 71)]
    for token in (of_bob, own[:-1], own + b"\0", b"\0" * 72, *spoilt):
        with refused_for("INVALID_FIELD"):
            busy.desk.list_events("alice", page_token=token, events=stored(busy)[2:])


def test_second_page_must_begin_where_the_first_ended(busy: Person) -> None:
    token = busy.desk.list_events("alice", events=stored(busy)[:2]).next_page_token
    for rows in (stored(busy), stored(busy)[3:], []):
        with refused_for("RecordRejected"):
            busy.desk.list_events("alice", page_token=token, events=rows)


def test_account_without_a_record_has_an_empty_history(desk: Desk) -> None:
    page = desk.list_events("nobody")
    assert (list(page.events), page.next_page_token) == ([], b"")


def test_history_goes_on_across_lives(busy: Person) -> None:
    busy.complete(busy.begin_delete())
    busy.enroll()
    assert [event.version for event in busy.desk.list_events("alice").events] == list(range(9, 0, -1))
