"""Which events go, and what stands in their place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.application.prune_histories import Pruned, prune_histories
from strongroom_service.application.verify_histories import Kept, verify_histories
from strongroom_service.domain.chains import Finding
from strongroom_service.domain.checkpoints import Leaf
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import RecordRejected
from tests.fakes.histories import AT, Histories, record_id


@pytest.fixture
async def histories() -> Histories:
    """Two records with 100 events each, one every second."""
    histories = await Histories.make(records=2, versions=100)
    for events in histories.store.events.values():
        events[:] = [replace(event, at=AT + 1_000 * event.version) for event in events]
    return histories


def at(version: int) -> Millis:
    return Millis(AT + 1_000 * version)


def versions(histories: Histories, number: int) -> list[int]:
    return [event.version for event in histories.events(number)]


async def prune(histories: Histories, *leaves: Leaf, horizon: Millis) -> Pruned:
    return await prune_histories(histories.store, leaves=iter(leaves), horizon=horizon)


async def found(histories: Histories, *leaves: Leaf) -> list[tuple[str, int, int]]:
    findings: list[Finding] = []
    kept = Kept(checkpoint="checkpoint 1", leaves=iter(leaves))
    await verify_histories(histories.store, kept=kept, keeper=None, tell=findings.append)
    return [(finding.named.value, finding.record_id[0], finding.version) for finding in findings]


async def test_newest_event_of_the_horizon_stays_and_those_after_it(histories: Histories) -> None:
    leaf = histories.leaf(1, 90)
    assert await prune(histories, leaf, horizon=at(40)) == Pruned(records=1, events=39)
    assert versions(histories, 1) == list(range(40, 101))
    base = histories.store.bases[record_id(1)]
    assert (base.version, base.chain_head) == (39, histories.heads[(record_id(1), 39)])
    assert await found(histories, leaf, histories.leaf(2, 100)) == []


async def test_record_without_a_leaf_keeps_all(histories: Histories) -> None:
    await prune(histories, histories.leaf(1, 90), horizon=at(40))
    assert len(versions(histories, 2)) == 100


async def test_nothing_goes_that_the_checkpoint_does_not_cover(histories: Histories) -> None:
    leaf = histories.leaf(1, 30)
    assert await prune(histories, leaf, horizon=at(80)) == Pruned(records=1, events=29)
    assert versions(histories, 1)[0] == 30
    assert await found(histories, leaf, histories.leaf(2, 100)) == []


@pytest.mark.parametrize("horizon", [at(0), at(1)])
async def test_history_that_is_young_enough_stays_whole(histories: Histories, horizon: Millis) -> None:
    assert await prune(histories, histories.leaf(1, 90), horizon=horizon) == Pruned(records=0, events=0)
    assert histories.store.bases == {}


async def test_pruning_goes_on_where_it_was(histories: Histories) -> None:
    leaf = histories.leaf(1, 90)
    await prune(histories, leaf, horizon=at(40))
    assert await prune(histories, leaf, horizon=at(40)) == Pruned(records=0, events=0)
    assert await prune(histories, leaf, horizon=at(70)) == Pruned(records=1, events=30)
    assert versions(histories, 1) == list(range(70, 101))
    assert await found(histories, leaf, histories.leaf(2, 100)) == []


async def test_leaf_below_the_base_lets_nothing_go(histories: Histories) -> None:
    await prune(histories, histories.leaf(1, 90), horizon=at(70))
    assert await prune(histories, histories.leaf(1, 20), horizon=at(80)) == Pruned(records=0, events=0)


@pytest.mark.parametrize("version", [1, 20, 60, 90])
async def test_chain_that_does_not_pass_through_its_leaf_stays(histories: Histories, version: int) -> None:
    histories.put(1, version, b"forged")
    with pytest.raises(RecordRejected, match="does not pass through its leaf"):
        await prune(histories, histories.leaf(1, 90), horizon=at(40))
    assert len(versions(histories, 1)) == 100


@pytest.mark.parametrize("spoil", [lambda each: each.remove(1, 20), lambda each: each.cut(1, 50)])
async def test_history_with_a_gap_stays(histories: Histories, spoil: object) -> None:
    assert callable(spoil)
    spoil(histories)
    left = versions(histories, 1)
    with pytest.raises(RecordRejected, match="verify the events"):
        await prune(histories, histories.leaf(1, 90), horizon=at(40))
    assert versions(histories, 1) == left


async def test_more_that_is_taken_away_is_missed(histories: Histories) -> None:
    leaves = (histories.leaf(1, 90), histories.leaf(2, 100))
    await prune(histories, *leaves, horizon=at(40))
    histories.remove(1, 1)  # the first that is left
    assert await found(histories, *leaves) == [("removed", 1, 40)]


async def test_base_that_was_changed_leads_past_the_leaf(histories: Histories) -> None:
    leaves = (histories.leaf(1, 90), histories.leaf(2, 100))
    await prune(histories, *leaves, horizon=at(40))
    base = histories.store.bases[record_id(1)]
    histories.store.bases[record_id(1)] = replace(base, chain_head=bytes(32))
    assert await found(histories) == []  # control: without a key or a kept head
    assert await found(histories, *leaves) == [("altered", 1, 90)]
