"""Rewrapping beside a database that was tampered with: what does not lead on from the last checkpoint is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from strongroom.keeper.v1 import operator_pb2
from strongroom_service.application.keys import count_events, survey
from strongroom_service.application.rewrap import Rewrapped, rewrap
from strongroom_service.application.rows import Change, RecordRow
from strongroom_service.domain.checkpoints import Leaf
from strongroom_service.domain.errors import RecordRejected, VersionConflict
from strongroom_service.keeper.formats.sealing import parse_header
from strongroom_service.keeper.token.port import KeyPurpose
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk, Refused
from tests.fakes.operator_desk import DeskConnection, store_of
from tests.fakes.person import Person
from tests.fakes.store import FakeStore
from tests.unit.keeper.test_key_changes import Keys

NAMES = ("alice", "bob", "carol")


class Connection(DeskConnection):
    """Says what an `OperatorConnection` would of a row that was rejected."""

    async def ask(self, call: operator_pb2.OperatorCall, *, reply: str) -> operator_pb2.OperatorReply:
        try:
            return await super().ask(call, reply=reply)
        except Refused as refused:
            raise RecordRejected(refused.args[0]) from refused


class Scene:
    """Three accounts as a checkpoint has seen them; then each released, and KEK and seal key were replaced."""

    def __init__(self, desk: Desk) -> None:
        people = [Person(desk, name) for name in NAMES]
        for person in people:
            person.enroll()
        self.before = store_of(desk)
        self.keys = Keys(desk)
        asked = [RecordRow(record_id=row.record_id, version=row.version, sealed=row.sealed) for row in self.rows]
        self.keeper = OperatorKeeper(Connection(self.keys.operator))
        self.leaves: Sequence[Leaf] = asyncio.run(self.keeper.add_leaves(asked))
        for person in people:
            person.release()
        self.keys.rotate(KeyPurpose.KEK, KeyPurpose.SEAL)
        self.store = store_of(desk)
        self.told: list[str] = []

    @property
    def rows(self) -> list[RecordRow]:
        return [self.before.records[each] for each in sorted(self.before.records)]

    @property
    def first(self) -> bytes:
        return self.rows[0].record_id

    def rewrap(self, store: FakeStore | None = None) -> Rewrapped:
        async def at_once() -> None:
            return

        return asyncio.run(
            rewrap(
                store or self.store,
                keeper=self.keeper,
                last_leaves=iter(self.leaves),
                pace=at_once,
                tell=self.told.append,
                progress=lambda _: None,
            )
        )

    def names_alone(self, record_id: bytes) -> bool:
        return len(self.told) == 1 and record_id.hex() in self.told[0]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Desk(tmp_path))


def test_every_record_moves_once(scene: Scene) -> None:
    assert scene.rewrap() == Rewrapped(looked_at=3, moved=3)
    assert scene.rewrap() == Rewrapped(looked_at=3)
    assert scene.told == []


def test_record_below_its_leaf_is_left_and_named(scene: Scene) -> None:
    old = scene.before.events[scene.first][0]
    scene.store.records[scene.first] = RecordRow(record_id=scene.first, version=old.version, sealed=bytes(64))
    assert scene.rewrap() == Rewrapped(looked_at=3, moved=2, refused=1)
    assert scene.names_alone(scene.first)


def test_record_that_another_chain_leads_to_is_left_and_named(scene: Scene) -> None:
    leaf = scene.leaves[0]
    scene.leaves = [Leaf(leaf.record_id, leaf.version, bytes(32)), *scene.leaves[1:]]
    assert scene.rewrap() == Rewrapped(looked_at=3, moved=2, refused=1)
    assert scene.names_alone(scene.first)


def test_record_without_an_event_since_its_leaf_is_left_and_named(scene: Scene) -> None:
    del scene.store.events[scene.first][-1]
    assert scene.rewrap() == Rewrapped(looked_at=3, moved=2, refused=1)
    assert scene.names_alone(scene.first)


@pytest.mark.parametrize("which", range(3))
def test_record_that_was_removed_is_named(scene: Scene, which: int) -> None:
    record_id = scene.rows[which].record_id
    del scene.store.records[record_id], scene.store.events[record_id]
    assert scene.rewrap() == Rewrapped(looked_at=2, moved=2, refused=1)
    assert scene.names_alone(record_id)


def test_record_that_the_checkpoint_has_not_seen_moves_too(scene: Scene) -> None:
    scene.leaves = scene.leaves[1:]
    assert scene.rewrap() == Rewrapped(looked_at=3, moved=3)


class Contended(FakeStore):
    """Somebody else commits first, `losses` times."""

    losses = 0

    async def commit(self, change: Change) -> None:
        if self.losses:
            self.losses -= 1
            raise VersionConflict("another came first")
        await super().commit(change)


@pytest.mark.parametrize(("losses", "left"), [(1, 0), (4, 0), (5, 1)])
def test_record_that_changes_meanwhile_is_tried_again_and_then_left(scene: Scene, losses: int, left: int) -> None:
    contended = Contended()
    contended.records, contended.events, contended.losses = scene.store.records, scene.store.events, losses
    assert scene.rewrap(contended) == Rewrapped(looked_at=3, moved=3 - left, left=left)


def test_survey_refuses_a_database_that_was_put_back(scene: Scene) -> None:
    assert asyncio.run(survey(scene.store, keeper=scene.keeper, last_leaves=iter(scene.leaves))) == 3
    del scene.store.records[scene.first], scene.store.events[scene.first]
    with pytest.raises(RecordRejected, match=scene.first.hex()):
        asyncio.run(survey(scene.store, keeper=scene.keeper, last_leaves=iter(scene.leaves)))


def test_events_of_a_seal_key_are_counted_until_they_are_gone(scene: Scene) -> None:
    def of_the_first(sealed: bytes) -> bool:
        return parse_header(sealed).epoch == 1

    assert asyncio.run(count_events(scene.store, needs=of_the_first)) == 9
    scene.rewrap()
    assert asyncio.run(count_events(scene.store, needs=of_the_first)) == 9  # they stay where they were sealed
    for events in scene.store.events.values():
        del events[:3]
    assert asyncio.run(count_events(scene.store, needs=of_the_first)) == 0
