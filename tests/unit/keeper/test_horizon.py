"""Histories whose old events are gone: where one may begin is in the vault's sealed row and in the event's seal."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom.v1 import vault_service_pb2
from strongroom_service.application.prune_histories import prune_histories
from strongroom_service.application.verify_histories import Kept, verify_histories
from strongroom_service.domain.chains import Finding
from strongroom_service.domain.checkpoints import Leaf
from strongroom_service.domain.clock import Millis
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk, refused_for
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fakes.person import Person

DAY = 86_400


@pytest.fixture
def alice(desk: Desk) -> Person:
    """Eight events, one a day, and a checkpoint of the last day."""
    person = Person(desk)
    person.complete(person.begin_registration())
    desk.clock.advance(seconds=DAY)
    person.complete(person.begin_store(), envelope=b"an envelope")
    for _ in range(6):
        desk.clock.advance(seconds=DAY)
        person.release()
    operator = OperatorDesk(desk)
    operator.add_leaves(operator.rows())
    operator.commit_vault(operator.finish_checkpoint())
    return person


def time_of(person: Person, version: int) -> Millis:
    return Millis(person.desk.clock.now() - (8 - version) * DAY * 1_000)


def set_horizon(person: Person, horizon: Millis) -> None:
    operator = OperatorDesk(person.desk)
    call = operator_pb2.OperatorCall(set_horizon=operator_pb2.SetHorizonCall(horizon=horizon))
    made = operator.ask(call).set_horizon
    person.desk.vault_version, person.desk.vault_sealed = made.vault_version, made.successor_sealed
    assert operator.open_vault().events_horizon == horizon


def kept(person: Person, first: int) -> list[frames_pb2.EventRow]:
    """Newest first."""
    return [row for row in person.desk.store.events[person.desk.record_id("alice")] if row.version >= first]


def page(person: Person, rows: list[frames_pb2.EventRow], *, oldest: bool) -> vault_service_pb2.ListEventsReply:
    call = frames_pb2.ListEventsCall(
        account_token=person.desk.account_token("alice"),
        nonce=os.urandom(32),
        row=person.row(),
        events=rows,
        oldest=oldest,
    )
    signed = person.desk.call(frames_pb2.KeeperCall(list_events=call)).signed
    return vault_service_pb2.ListEventsReply.FromString(signed.reply)


def test_history_ends_at_an_event_of_the_horizon_and_says_so(alice: Person) -> None:
    set_horizon(alice, time_of(alice, 4))
    shown = page(alice, kept(alice, 4), oldest=True)
    assert [event.version for event in shown.events] == [8, 7, 6, 5, 4]
    assert (shown.first_version, shown.next_page_token) == (4, b"")


def test_whole_history_says_nothing_of_a_first_event(alice: Person) -> None:
    set_horizon(alice, time_of(alice, 4))
    shown = page(alice, kept(alice, 1), oldest=True)
    assert (len(shown.events), shown.first_version, shown.next_page_token) == (8, 0, b"")


@pytest.mark.parametrize("first", [5, 8])
def test_history_that_begins_after_the_horizon_is_not_at_its_end(alice: Person, first: int) -> None:
    """More was taken away than may be gone."""
    set_horizon(alice, time_of(alice, 4))
    shown = page(alice, kept(alice, first), oldest=True)
    assert shown.first_version == 0
    with refused_for("RecordRejected"):
        alice.desk.list_events("alice", page_token=shown.next_page_token, events=[])


def test_without_a_horizon_every_history_begins_at_its_genesis(alice: Person) -> None:
    assert page(alice, kept(alice, 2), oldest=True).first_version == 0


def test_page_that_is_only_cut_short_goes_on(alice: Person) -> None:
    set_horizon(alice, time_of(alice, 4))
    shown = page(alice, kept(alice, 3), oldest=False)
    assert (shown.first_version, len(shown.next_page_token)) == (0, 72)


def test_horizon_moves_on_only_and_not_past_the_checkpoint(alice: Person) -> None:
    set_horizon(alice, time_of(alice, 4))
    for horizon in (time_of(alice, 4) - 1, time_of(alice, 8) + 1):
        with refused_for("Misconfigured"):
            set_horizon(alice, Millis(horizon))
    set_horizon(alice, time_of(alice, 8))


def test_no_event_goes_before_the_first_checkpoint(desk: Desk) -> None:
    Person(desk).enroll()
    with refused_for("Misconfigured"):
        set_horizon(Person(desk), Millis(1))


async def test_pruned_histories_are_verified_from_where_they_begin(alice: Person) -> None:
    set_horizon(alice, time_of(alice, 4))
    store, record_id = store_of(alice.desk), alice.desk.record_id("alice")
    events = store.events[record_id]
    events[:] = [replace(event, at=time_of(alice, event.version)) for event in events]
    operator = OperatorDesk(alice.desk)
    keeper = OperatorKeeper(DeskConnection(operator))
    [head] = operator.add_leaves(operator.rows())
    leaf = Leaf(record_id, 8, head)
    horizon = Millis(operator.standing.events_horizon)
    assert (await prune_histories(store, leaves=iter([leaf]), horizon=horizon)).events == 3

    async def found() -> list[tuple[str, int]]:
        findings: list[Finding] = []
        kept_leaf = Kept(checkpoint="checkpoint 1", leaves=iter([leaf]))
        await verify_histories(store, kept=kept_leaf, keeper=keeper, tell=findings.append, horizon=horizon)
        return [(finding.named.value, finding.version) for finding in findings]

    assert await found() == []
    base = store.bases[record_id]
    store.bases[record_id] = replace(base, chain_head=bytes(32))
    assert await found() == [("altered", 4)]
    # One more is taken away, with a base that fits: the event that is first then is too young for that.
    del store.events[record_id][0]
    fits = OperatorDesk(alice.desk)
    asked = operator_pb2.OpenEventsCall(record_id=record_id, events=kept(alice, 5)[-1:])
    look = fits.ask(operator_pb2.OperatorCall(open_events=asked)).open_events.events[0]
    store.bases[record_id] = replace(base, version=4, chain_head=look.previous_head)
    assert await found() == [("removed", 4)]
