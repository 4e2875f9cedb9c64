"""Making a checkpoint, step by step: what is written when, and what makes it refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom_service.application.make_checkpoint import make_checkpoint
from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.checkpoints import CheckpointHead, Leaf, LeafTree, SignedCheckpoint
from strongroom_service.domain.errors import OutcomeUnknown, RecordRejected, StoreUnavailable
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fakes.person import Person
from tests.fakes.store import FakeStore


class FakeDraft:
    """Remembers what was written, and what the vault's row was at each finish."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.leaves: list[Leaf] = []
        self.finished: list[SignedCheckpoint] = []
        self.vault_then: list[VaultRow | None] = []

    def add(self, leaf: Leaf) -> None:
        self.leaves.append(leaf)

    def finish(self, signed: SignedCheckpoint) -> None:
        self.finished.append(signed)
        self.vault_then.append(self._store.vault)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """More accounts than one call takes rows."""
    desk = Desk(tmp_path)
    for number in range(20):
        Person(desk, f"account {number}").enroll()
    return desk


def keeper_of(desk: Desk) -> OperatorKeeper:
    return OperatorKeeper(DeskConnection(OperatorDesk(desk)))


async def make(desk: Desk, store: FakeStore, draft: FakeDraft, *, last: tuple[Leaf, ...] = ()) -> CheckpointHead:
    return await make_checkpoint(store, keeper=keeper_of(desk), draft=draft, last_leaves=iter(last))


async def test_every_record_has_its_leaf_in_order(desk: Desk) -> None:
    store = store_of(desk)
    draft = FakeDraft(store)
    head = await make(desk, store, draft)
    assert [leaf.record_id for leaf in draft.leaves] == sorted(store.records)
    assert {leaf.version for leaf in draft.leaves} == {2}
    tree = LeafTree()
    for leaf in draft.leaves:
        tree.add(leaf)
    assert (head.leaves, head.root, head.serial) == (20, tree.root, 1)


async def test_file_is_whole_before_the_vaults_row_says_so(desk: Desk) -> None:
    store = store_of(desk)
    before = store.vault
    draft = FakeDraft(store)
    head = await make(desk, store, draft)
    assert draft.vault_then == [before]
    assert store.vault is not None
    assert store.vault.version == head.vault_version == 2
    [signed] = draft.finished
    assert signed.head == head


async def test_lost_race_for_the_vaults_row_is_run_again(desk: Desk) -> None:
    """Somebody renews the key bundle: the head names the version of the row that will keep it."""
    store = store_of(desk)
    draft = FakeDraft(store)
    desk.clock.advance(seconds=2 * 24 * 3600)
    desk.restart()
    renewed = VaultRow(version=2, sealed=desk.renewed_vault)

    class Racing(FakeDraft):
        def finish(self, signed: SignedCheckpoint) -> None:
            super().finish(signed)
            if len(self.finished) == 1:
                store.vault = renewed

    draft = Racing(store)
    head = await make(desk, store, draft)
    assert [signed.head.vault_version for signed in draft.finished] == [2, 3]
    assert (head.vault_version, head.serial) == (3, 1)
    assert store.vault is not None
    assert store.vault.version == 3


@pytest.mark.parametrize("written", [True, False])
async def test_unknown_outcome_is_looked_up(desk: Desk, *, written: bool) -> None:
    store = store_of(desk)
    store.fail_next_commit(OutcomeUnknown("it may have landed"), written=written)
    draft = FakeDraft(store)
    head = await make(desk, store, draft)
    assert len(draft.finished) == (1 if written else 2)
    assert store.vault is not None
    assert (store.vault.version, head.serial) == (2, 1)


async def test_refused_commit_ends_it(desk: Desk) -> None:
    store = store_of(desk)
    store.fail_next_commit(StoreUnavailable("no"), written=False)
    with pytest.raises(StoreUnavailable):
        await make(desk, store, FakeDraft(store))


async def test_last_checkpoint_is_compared(desk: Desk) -> None:
    store = store_of(desk)
    first = FakeDraft(store)
    await make(desk, store, first)
    second = FakeDraft(store)
    head = await make(desk, store, second, last=tuple(first.leaves))
    assert head.serial == 2


@pytest.mark.parametrize("at", [0, 7, 19])
async def test_row_below_its_last_leaf_gets_no_checkpoint(desk: Desk, at: int) -> None:
    store = store_of(desk)
    first = FakeDraft(store)
    await make(desk, store, first)
    last = list(first.leaves)
    last[at] = replace(last[at], version=3)
    draft = FakeDraft(store)
    with pytest.raises(RecordRejected, match=r"put back: record .* version 3: .* now it is at 2"):
        await make(desk, store, draft, last=tuple(last))
    assert draft.finished == []


@pytest.mark.parametrize("at", [0, 7, 19])
async def test_record_that_is_gone_gets_no_checkpoint(desk: Desk, at: int) -> None:
    store = store_of(desk)
    first = FakeDraft(store)
    await make(desk, store, first)
    gone = first.leaves[at].record_id
    del store.records[gone], store.events[gone]
    with pytest.raises(RecordRejected, match=f"row removed: record {gone.hex()}"):
        await make(desk, store, FakeDraft(store), last=tuple(first.leaves))


async def test_record_that_has_lost_its_row_alone_gets_no_checkpoint(desk: Desk) -> None:
    store = store_of(desk)
    del store.records[min(store.records)]
    with pytest.raises(RecordRejected, match="it has no row: verify the events"):
        await make(desk, store, FakeDraft(store))


async def test_row_that_does_not_open_gets_no_checkpoint(desk: Desk) -> None:
    store = store_of(desk)
    record_id = max(store.records)
    store.records[record_id] = replace(store.records[record_id], version=9)
    with pytest.raises(Exception, match="RecordRejected"):
        await make(desk, store, FakeDraft(store))


async def test_empty_vault_has_an_empty_checkpoint(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    store = store_of(desk)
    assert (await make(desk, store, FakeDraft(store))).leaves == 0
