"""What a copy compares: all that is at the destination under an id, also what no copy would have put there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from strongroom_service.application.copy_store import History, PlacedEvent
from strongroom_service.application.rows import EventBase, VaultRow
from strongroom_service.store.postgres_copy import PostgresCopyDestination
from strongroom_service.store.postgres_rules import PostgresRules
from tests.contract.postgres_hand import hand
from tests.contract.test_store import change, record_id

ONE = record_id("one")
HISTORY = History(
    record_id=ONE,
    record=change("one", 3).record,
    events=tuple(PlacedEvent(version=v, position=10 * v, at=v, sealed=b"event %d" % v) for v in (2, 3)),
    base=EventBase(record_id=ONE, version=1, chain_head=bytes(32)),
)


@pytest.fixture
async def destination(rules: PostgresRules) -> AsyncIterator[PostgresCopyDestination]:
    async with PostgresCopyDestination.open(rules) as opened:
        await opened.begin()
        await opened.replace_histories([HISTORY])
        yield opened


async def test_what_was_put_is_read_back(destination: PostgresCopyDestination) -> None:
    assert await destination.load_histories([ONE, record_id("other")]) == {ONE: HISTORY}
    assert await destination.count_record_ids() == 1


async def test_history_is_replaced_whole(destination: PostgresCopyDestination) -> None:
    shorter = replace(HISTORY, events=HISTORY.events[:1], base=None, record=None)
    await destination.replace_histories([shorter])
    assert await destination.load_histories([ONE]) == {ONE: shorter}


async def test_vault_and_last_position_are_replaced(destination: PostgresCopyDestination) -> None:
    for version in (7, 8):
        row = VaultRow(version=version, sealed=b"vault")
        await destination.replace_vault(row, last_position=100 + version)
        assert (await destination.load_vault(), await destination.last_position()) == (row, 100 + version)


@pytest.mark.parametrize(
    "stray",
    [
        "INSERT INTO events VALUES (%s, 4, 0, 'stray')",
        "UPDATE events SET sealed = 'stray' WHERE record_id = %s AND version = 2",
        "UPDATE events SET at = 99 WHERE record_id = %s AND version = 2",
        "UPDATE feed SET position = 99 WHERE record_id = %s AND version = 2",
        "DELETE FROM feed WHERE record_id = %s AND version = 2",
        "UPDATE records SET sealed = 'stray' WHERE record_id = %s",
        "UPDATE event_bases SET chain_head = decode(repeat('01', 32), 'hex') WHERE record_id = %s",
    ],
)
async def test_what_differs_in_any_column_is_no_copy(
    destination: PostgresCopyDestination, rules: PostgresRules, stray: str
) -> None:
    with hand(rules) as other:
        assert other.execute(stray.encode(), (ONE,)).rowcount == 1
        other.commit()
    assert await destination.load_histories([ONE]) != {ONE: HISTORY}
    await destination.replace_histories([HISTORY])
    assert await destination.load_histories([ONE]) == {ONE: HISTORY}
