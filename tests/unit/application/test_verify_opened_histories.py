"""What is found once a keeper opens every row and event."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom_service.application.rows import EventRow
from strongroom_service.application.verify_histories import Kept, verify_histories
from strongroom_service.domain.chains import Finding
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fakes.person import Person
from tests.fakes.store import FakeStore


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    """One of two accounts with 20 events each: more than one call's."""
    desk = Desk(tmp_path)
    people = [Person(desk, account) for account in ("bob", "alice")]
    for person in people:
        person.enroll()
        for _ in range(18):
            person.release()
    return people[1]


@pytest.fixture
def desk(alice: Person) -> Desk:
    return alice.desk


async def found(desk: Desk, store: FakeStore) -> list[tuple[str, str, int]]:
    findings: list[Finding] = []
    names = {desk.record_id(account): account for account in ("alice", "bob")}
    keeper = OperatorKeeper(DeskConnection(OperatorDesk(desk)))
    verified = await verify_histories(store, kept=Kept(), keeper=keeper, tell=findings.append)
    assert verified.events == sum(map(len, store.events.values()))
    return [(finding.named.value, names[finding.record_id], finding.version) for finding in findings]


def put(store: FakeStore, record_id: bytes, version: int, sealed: bytes) -> None:
    store.events[record_id][version - 1] = replace(store.events[record_id][version - 1], sealed=sealed)


async def test_honest_histories_have_no_findings(desk: Desk) -> None:
    assert await found(desk, store_of(desk)) == []


@pytest.mark.parametrize("version", [1, 7, 20])
async def test_altered_event_is_found_by_itself(desk: Desk, version: int) -> None:
    store, alice = store_of(desk), desk.record_id("alice")
    sealed = store.events[alice][version - 1].sealed
    put(store, alice, version, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert await found(desk, store) == [("altered", "alice", version)]


async def test_authentic_event_that_is_not_of_the_chain_was_inserted(alice: Person) -> None:
    """Two attempts were judged at one version; one was committed, the other's event stands in its place."""
    desk, record_id = alice.desk, alice.desk.record_id("alice")
    forks = [alice.judge(alice.judge_call(alice.begin_release())).commit for _ in range(2)]
    desk.store.commit(forks[0])
    newest = store_of(desk)
    put(newest, record_id, 21, forks[1].sealed_event)
    assert await found(desk, newest) == [("inserted", "alice", 21)]
    alice.release()
    older = store_of(desk)
    put(older, record_id, 21, forks[1].sealed_event)
    assert await found(desk, older) == [("inserted", "alice", 21)]


async def test_event_copied_from_another_record_is_told_from_an_altered_one(desk: Desk) -> None:
    store, alice, bob = store_of(desk), desk.record_id("alice"), desk.record_id("bob")
    theirs = [store.events[alice][2].sealed, store.events[bob][4].sealed]
    put(store, alice, 3, theirs[1])
    put(store, bob, 5, theirs[0])
    assert set(await found(desk, store)) == {("swapped", "alice", 3), ("swapped", "bob", 5)}


async def test_row_and_events_put_back_together_show_by_nothing_here(alice: Person) -> None:
    """An older state that is whole: what a checkpoint is for."""
    before = store_of(alice.desk)
    alice.release()
    assert await found(alice.desk, before) == []


async def test_row_put_back_alone_leaves_its_newer_events(alice: Person) -> None:
    before = store_of(alice.desk)
    alice.release()
    store = store_of(alice.desk)
    store.records = before.records
    findings: list[Finding] = []
    keeper = OperatorKeeper(DeskConnection(OperatorDesk(alice.desk)))
    await verify_histories(store, kept=Kept(), keeper=keeper, tell=findings.append)
    assert [(finding.named.value, finding.version) for finding in findings] == [("inserted", 21)]


async def test_so_many_strange_events_are_all_told(desk: Desk) -> None:
    store, alice = store_of(desk), desk.record_id("alice")
    store.events[alice] = [
        EventRow(record_id=alice, version=version, at=0, sealed=b"forged") for version in range(1, 101)
    ]
    store.records[alice] = replace(store.records[alice], version=100)
    findings = await found(desk, store)
    assert [finding for finding in findings if finding[0] == "altered"] == [
        ("altered", "alice", version) for version in range(1, 101)
    ]
    assert ("row altered", "alice", 100) in findings
