from __future__ import annotations

import pytest

from strongroom_service.application.begin_ceremony import begin_ceremony
from strongroom_service.application.describe import (
    MAX_EVENTS,
    MAX_EVENTS_BYTES,
    describe_record,
    describe_service,
    list_events,
)
from strongroom_service.application.keepers import Caller
from strongroom_service.application.rows import Change, EventRow
from tests.fakes.keeper import FakeKeeper
from tests.fakes.store import FakeStore

RECORD_ID = b"r" * 32
CALLER = Caller(account_token="token", request_id="request")


async def store_with(versions: int, *, event_bytes: int = 10) -> FakeStore:
    store = FakeStore()
    for version in range(1, versions + 1):
        await store.commit(
            Change(record_id=RECORD_ID, version=version, at=1, sealed_record=b"row", sealed_event=bytes(event_bytes))
        )
    return store


async def listed(store: FakeStore, *, page_token: bytes = b"", keeper: FakeKeeper | None = None) -> list[int]:
    keeper = keeper or FakeKeeper()
    await list_events(CALLER, record_id=RECORD_ID, nonce=b"n" * 32, page_token=page_token, keeper=keeper, store=store)
    events = keeper.asked[-1]["events"]
    assert isinstance(events, tuple)
    return [event.version for event in events if isinstance(event, EventRow)]


def token_at(version: int) -> bytes:
    return version.to_bytes(8, "big") + bytes(64)


async def test_service_is_described_without_a_record() -> None:
    keeper = FakeKeeper()
    assert (await describe_service(CALLER, nonce=b"n", keeper=keeper)).reply == b"service"


async def test_record_is_described_as_it_stands() -> None:
    keeper, store = FakeKeeper(), await store_with(3)
    reply = await describe_record(CALLER, record_id=RECORD_ID, nonce=b"n", keeper=keeper, store=store)
    assert reply.reply == b"record"
    assert keeper.asked[-1]["row"] == store.records[RECORD_ID]


async def test_ceremony_begins_at_the_newest_row_and_commits_nothing() -> None:
    keeper, store = FakeKeeper(), await store_with(3)
    begun = await begin_ceremony(CALLER, record_id=RECORD_ID, request=b"asked", keeper=keeper, store=store)
    assert begun.ceremony == b"ceremony"
    assert (keeper.asked[-1]["row"], keeper.asked[-1]["request"]) == (store.records[RECORD_ID], b"asked")
    assert store.records[RECORD_ID].version == 3


async def test_first_page_begins_at_the_row() -> None:
    assert await listed(await store_with(5)) == [5, 4, 3, 2, 1]


async def test_event_committed_after_the_row_was_loaded_is_not_in_its_page() -> None:
    store = await store_with(5)
    row = store.records[RECORD_ID]
    await store.commit(Change(record_id=RECORD_ID, version=6, at=1, sealed_record=b"row", sealed_event=b"new"))
    store.records[RECORD_ID] = row
    assert await listed(store) == [5, 4, 3, 2, 1]


async def test_page_of_a_token_begins_at_its_version() -> None:
    assert await listed(await store_with(5), page_token=token_at(3)) == [3, 2, 1]


async def test_account_without_a_record_has_no_events() -> None:
    assert await listed(FakeStore()) == []


async def test_page_holds_a_bounded_number_of_events() -> None:
    versions = await listed(await store_with(MAX_EVENTS + 10))
    assert len(versions) == MAX_EVENTS
    assert versions[0] == MAX_EVENTS + 10


async def test_page_holds_a_bounded_number_of_bytes() -> None:
    assert await listed(await store_with(10, event_bytes=MAX_EVENTS_BYTES // 4)) == [10, 9, 8, 7]


async def test_event_larger_than_a_page_is_not_a_dead_end() -> None:
    assert await listed(await store_with(3, event_bytes=MAX_EVENTS_BYTES + 1)) == [3]


@pytest.mark.parametrize("page_token", [b"x", bytes(71), bytes(73), bytes(72)])
async def test_token_that_cannot_be_one_loads_nothing_and_is_left_to_the_keeper(page_token: bytes) -> None:
    keeper = FakeKeeper()
    assert await listed(await store_with(3), page_token=page_token, keeper=keeper) == []
    assert keeper.asked[-1]["page_token"] == page_token


async def test_token_with_the_largest_version_is_no_trouble() -> None:
    assert await listed(await store_with(3), page_token=token_at(2**64 - 1)) == [3, 2, 1]
