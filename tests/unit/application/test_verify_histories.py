"""What is found without a keeper: by versions alone, and against heads that others have kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom_service.application.rows import EventRow
from strongroom_service.application.verify_histories import Fulfilled, Kept, verify_histories
from strongroom_service.domain.chains import Finding
from tests.fakes.histories import AT, Histories, record_id


@pytest.fixture
async def histories() -> Histories:
    return await Histories.make()


async def found(
    histories: Histories, *, leaves: tuple[tuple[int, int], ...] = (), fulfilled: Fulfilled | None = None
) -> list[tuple[str, int, int]]:
    """What is found, as (name, number of the record, version)."""
    findings: list[Finding] = []
    kept = Kept(
        checkpoint="checkpoint 1",
        leaves=iter([histories.leaf(*leaf) for leaf in leaves]),
        fulfilled=fulfilled or {},
    )
    before = {each: list(rows) for each, rows in histories.store.events.items()}
    verified = await verify_histories(histories.store, kept=kept, keeper=None, tell=findings.append)
    assert verified.findings == len(findings)
    assert before == histories.store.events
    return [(finding.named.value, finding.record_id[0], finding.version) for finding in findings]


async def test_honest_histories_have_no_findings(histories: Histories) -> None:
    leaves = ((1, 6), (2, 3), (3, 1))
    fulfilled = {record_id(2): {5: frozenset({histories.leaf(2, 5).chain_head})}}
    assert await found(histories, leaves=leaves, fulfilled=fulfilled) == []
    verified = await verify_histories(histories.store, kept=Kept(), keeper=None, tell=lambda _: None)
    assert (verified.records, verified.events) == (3, 18)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda each: each.remove(2, 1), ("removed", 2, 1), id="first event removed"),
        pytest.param(lambda each: each.remove(2, 4), ("removed", 2, 4), id="event removed"),
        pytest.param(lambda each: each.cut(2, 1), ("cut", 2, 6), id="last event cut"),
        pytest.param(lambda each: each.cut(2, 3), ("cut", 2, 4), id="last events cut"),
        pytest.param(lambda each: each.store.events.pop(record_id(2)), ("cut", 2, 1), id="all events cut"),
        pytest.param(lambda each: each.put_row_back(2, 4), ("inserted", 2, 5), id="row put back"),
        pytest.param(lambda each: each.store.records.pop(record_id(2)), ("row removed", 2, 6), id="row removed"),
    ],
)
async def test_found_by_versions_alone(
    histories: Histories, spoil: Callable[[Histories], object], expected: tuple[str, int, int]
) -> None:
    spoil(histories)
    assert await found(histories) == [expected]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda each: each.put(2, 3, b"forged"), [("altered", 2, 5)], id="altered"),
        pytest.param(lambda each: each.exchange((2, 3), (2, 4)), [("altered", 2, 5)], id="reordered"),
        pytest.param(lambda each: each.exchange((1, 3), (2, 3)), [("altered", 1, 5), ("altered", 2, 5)], id="swapped"),
        pytest.param(lambda each: each.put(2, 6, b"forged"), [], id="altered above the leaf, which does not show"),
    ],
)
async def test_found_against_a_checkpoint_only(
    histories: Histories, spoil: Callable[[Histories], None], expected: list[tuple[str, int, int]]
) -> None:
    spoil(histories)
    assert await found(histories) == []  # control: without a key or a kept head every event is as good as another
    assert await found(histories, leaves=((1, 5), (2, 5))) == expected


async def test_alteration_is_found_between_the_heads_around_it() -> None:
    histories = await Histories.make(records=1, versions=9)
    histories.put(1, 5, b"forged")
    findings: list[Finding] = []
    heads = {version: frozenset({histories.leaf(1, version).chain_head}) for version in (2, 4)}
    kept = Kept(checkpoint="checkpoint 7", leaves=iter([histories.leaf(1, 8)]), fulfilled={record_id(1): heads})
    await verify_histories(histories.store, kept=kept, keeper=None, tell=findings.append)
    [finding] = findings
    assert str(finding) == (
        f"altered: record {'01' * 32} version 8: the chain does not pass through the head of checkpoint 7:"
        " something is altered between versions 5 and 8"
    )


async def test_row_below_its_leaf_was_put_back(histories: Histories) -> None:
    histories.put_row_back(2, 4)
    histories.cut(2, 2)
    assert await found(histories) == []  # control: an older state that is whole
    assert await found(histories, leaves=((1, 6), (2, 6), (3, 6))) == [("put back", 2, 4)]


async def test_record_that_only_a_checkpoint_remembers_was_removed(histories: Histories) -> None:
    for number in (1, 3):
        del histories.store.records[record_id(number)], histories.store.events[record_id(number)]
    assert await found(histories) == []  # control
    assert await found(histories, leaves=((1, 6), (2, 6), (3, 6))) == [("row removed", 1, 6), ("row removed", 3, 6)]


async def test_what_a_keeper_fulfilled_must_be_in_the_database(histories: Histories) -> None:
    head, other = histories.leaf(2, 3).chain_head, bytes(32)
    fulfilled = {
        record_id(2): {3: frozenset({head, other}), 7: frozenset({other})},
        record_id(9): {1: frozenset({other})},
    }
    assert await found(histories, fulfilled=fulfilled) == [
        ("not committed", 2, 3),
        ("not committed", 2, 7),
        ("not committed", 9, 1),
    ]


class GoesOn:
    """A scan beside a service that commits at the worst moment: between a row and its events."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._store = histories.store
        self.load_record = self._store.load_record
        self.load_base = self._store.load_base
        self.scan_record_ids = self._store.scan_record_ids

    async def scan_events(self, record_id: bytes, *, after_version: int, limit: int) -> tuple[EventRow, ...]:
        if after_version == 0:
            await self._histories.append(record_id[0])
        return await self._store.scan_events(record_id, after_version=after_version, limit=limit)


async def test_changes_committed_meanwhile_are_no_findings(histories: Histories) -> None:
    """The row was loaded before them, the events after."""
    findings: list[Finding] = []
    scan = GoesOn(histories)
    verified = await verify_histories(scan, kept=Kept(), keeper=None, tell=findings.append)
    assert (findings, verified.events) == ([], 21)


async def test_event_above_a_row_that_stays_is_found_in_any_part_of_a_long_history() -> None:
    histories = await Histories.make(records=1, versions=50)
    histories.events(1).append(EventRow(record_id=record_id(1), version=51, at=AT, sealed=b"forged"))
    assert await found(histories) == [("inserted", 1, 51)]
