"""Exports of accounts with every operation in their history, and of histories whose beginning is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.v1 import event_pb2
from strongroom_service.application.rows import EventBase
from strongroom_service.domain.records import next_head
from tests.fakes.desk import Desk
from tests.fakes.operator_desk import store_of
from tests.fakes.owner import SET_ASIDE, Owner, enrolled, make_passkey
from tests.fakes.person import Person
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy
from tests.oracles.exports import Lines, change_content, check, export_of, named, place


@pytest.fixture
async def eventful(tmp_path: Path) -> Lines:
    """One account through every operation: who may sign changes nearly each time."""
    owner = enrolled(Desk(tmp_path))  # 2 events
    first = owner.passkey
    owner.passkey = owner.add()  # 3: signed by the first, from now on the second signs
    owner.complete(owner.begin_removal(first), envelope=b"without")  # 4
    recovery = Ed25519PrivateKey.generate()
    public_key = recovery.public_key().public_bytes_raw()
    owner.complete(owner.begin_recovery(public_key), envelope=b"recoverable")  # 5
    ceremony = owner.begin_release()
    owner.complete_call(ceremony, owner.recovery_call(ceremony, seed=recovery))  # 6
    owner.fails(1)  # 7
    owner.complete(owner.begin_policy(owner.shown().policy))  # 8
    owner.reset()  # 9: nobody signs
    thief = Owner(owner.desk, passkey=make_passkey())
    thief.enroll(b"the thief's")  # 10, 11
    owner.complete(owner.begin_reopening(SET_ASIDE))  # 12: signed by who was set aside
    owner.release()  # 13
    tenancy = Tenancy(owner.desk)
    tenancy.order(ERASE)  # 14
    tenancy.order(CANCEL)  # 15
    owner.reset()  # 16
    owner.desk.clock.advance(seconds=31 * 86_400)
    assert owner.sweep()  # 17
    owner.passkey = make_passkey()
    owner.enroll(b"another life")  # 18, 19
    return await export_of(owner.desk)


def test_every_operation_is_followed(eventful: Lines, oracle_python: Path, tmp_path: Path) -> None:
    code, said = check(tmp_path, eventful, python=oracle_python)
    assert (code, said) == (0, ["1 records, 19 events, 14 signatures, 0 findings."])


@pytest.mark.parametrize("version", [3, 4, 5, 9, 12, 17])
def test_what_changes_who_may_sign_is_missed(eventful: Lines, tmp_path: Path, version: int) -> None:
    del eventful[place(eventful, "alice", version)]
    code, said = check(tmp_path, eventful)
    assert (code, named(said)[0]) == (1, f"removed {version}")


@pytest.mark.parametrize("version", [9, 14, 15, 16, 17])
def test_event_that_nobody_signed_is_under_the_keepers_signature(eventful: Lines, tmp_path: Path, version: int) -> None:
    change_content(eventful, place(eventful, "alice", version), failures=3)
    code, said = check(tmp_path, eventful)
    assert (code, named(said)) == (1, [f"altered {version}"])


@pytest.mark.parametrize("version", [3, 4, 12])
def test_signed_event_that_is_told_as_nobodys_is_found(eventful: Lines, tmp_path: Path, version: int) -> None:
    change_content(eventful, place(eventful, "alice", version), kind=event_pb2.EVENT_KIND_ERASE_ACCOUNT)
    code, said = check(tmp_path, eventful)
    assert (code, f"altered {version}" in named(said)) == (1, True)


async def test_export_whose_old_events_are_gone_is_checked_from_where_it_begins(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    alice = Person(desk)
    alice.enroll()
    for _ in range(4):
        alice.release()
    store, record_id = store_of(desk), desk.record_id("alice")
    events = store.events[record_id]
    head = next_head(next_head(next_head(bytes(32), events[0].sealed), events[1].sealed), events[2].sealed)
    await store.prune_events(EventBase(record_id=record_id, version=3, chain_head=head))
    exported = await export_of(desk, store)
    assert check(tmp_path, exported) == (0, ["1 records, 3 events, 3 signatures, 0 findings."])
    # What is taken away from an export by saying that it is gone for its age, is missed.
    del exported[2]
    exported[1]["base"] = 4
    code, said = check(tmp_path, exported)
    assert (code, named(said)) == (1, ["altered 5"])
