from __future__ import annotations

import pytest

from strongroom_service.application.keepers import TenantCaller
from strongroom_service.application.rows import Change, FeedRow
from strongroom_service.application.tenant_feed import MAX_ROWS, MAX_ROWS_BYTES, list_tenant_events
from strongroom_service.domain.errors import StoreUnavailable
from tests.fakes.keeper import FakeKeeper
from tests.fakes.store import FakeStore

CALLER = TenantCaller(tenant_token="token", request_id="request")
NONCE = bytes(32)


def cursor(position: int) -> bytes:
    return position.to_bytes(8, "big") + bytes(32)


async def filled(sizes: list[int]) -> FakeStore:
    store = FakeStore()
    for number, size in enumerate(sizes, start=1):
        await store.commit(
            Change(
                record_id=number.to_bytes(32, "big"),
                version=1,
                at=number,
                sealed_record=b"record",
                sealed_event=bytes(size),
            )
        )
    return store


async def shown(store: FakeStore, *, at: bytes = b"") -> tuple[list[int], bool]:
    """Positions of the events that the keeper is asked about, and whether it is told of more."""
    keeper = FakeKeeper()
    signed = await list_tenant_events(CALLER, nonce=NONCE, cursor=at, keeper=keeper, store=store)
    assert signed.reply == b"feed"
    (asked,) = keeper.asked
    assert (asked["caller"], asked["nonce"], asked["cursor"]) == (CALLER, NONCE, at)
    events = asked["events"]
    assert isinstance(events, tuple)
    assert all(isinstance(event, FeedRow) for event in events)
    more = asked["more"]
    assert isinstance(more, bool)
    return [event.position for event in events], more


async def test_page_begins_after_the_cursor() -> None:
    store = await filled([10] * 5)
    assert await shown(store) == ([1, 2, 3, 4, 5], False)
    assert await shown(store, at=cursor(3)) == ([4, 5], False)
    assert await shown(store, at=cursor(5)) == ([], False)


async def test_page_is_bounded_by_rows_and_leads_on() -> None:
    store = await filled([1] * (MAX_ROWS + 1))
    assert await shown(store) == (list(range(1, MAX_ROWS + 1)), True)
    assert await shown(store, at=cursor(MAX_ROWS)) == ([MAX_ROWS + 1], False)
    assert await shown(store, at=cursor(1)) == (list(range(2, MAX_ROWS + 2)), False)


async def test_page_is_bounded_by_bytes_and_always_gets_on() -> None:
    half = MAX_ROWS_BYTES // 2
    store = await filled([half, half, 1, MAX_ROWS_BYTES + 1, 1])
    assert await shown(store) == ([1, 2], True)
    assert await shown(store, at=cursor(2)) == ([3], True)
    assert await shown(store, at=cursor(3)) == ([4], True)
    assert await shown(store, at=cursor(4)) == ([5], False)


@pytest.mark.parametrize("spoilt", [b"\0", bytes(39), bytes(41), cursor(2**64 - 1)])
async def test_cursor_that_the_keeper_will_refuse_breaks_nothing(spoilt: bytes) -> None:
    positions, _ = await shown(await filled([1, 1]), at=spoilt)
    assert positions in ([1, 2], [])


async def test_store_that_is_down_is_told() -> None:
    store = await filled([1])
    store.close()
    with pytest.raises(StoreUnavailable):
        await shown(store)
