"""Never more than a window's count in any window, and never a refusal without a full one; whatever the times."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.rates import Window
from strongroom_service.front.limits_rates import BoundedMemoryStorage, LimitsRateStore
from strongroom_service.front.rates import RateStore
from tests.fakes.rates import FakeRateStore, FakeSeconds

WINDOWS = st.lists(
    st.builds(Window, count=st.integers(1, 6), seconds=st.integers(1, 30)),
    min_size=1,
    max_size=3,
    unique_by=lambda window: window.seconds,
)
PAUSES = st.lists(st.integers(0, 12), max_size=80)


async def admitted_at(store: RateStore, clock: FakeSeconds, windows: list[Window], pauses: list[int]) -> list[float]:
    admitted = []
    for pause in pauses:
        clock.advance(pause)
        if await store.take("a", windows) is None:
            admitted.append(clock.now)
    return admitted


def limits_memory(clock: FakeSeconds) -> LimitsRateStore:
    return LimitsRateStore(BoundedMemoryStorage(max_keys=1, clock=clock), clock=clock)


@given(windows=WINDOWS, pauses=PAUSES)
def test_no_window_ever_takes_more_than_its_count(windows: list[Window], pauses: list[int]) -> None:
    clock = FakeSeconds()
    admitted = asyncio.run(admitted_at(limits_memory(clock), clock, windows, pauses))
    for window in windows:
        for end in admitted:
            assert sum(end - window.seconds <= at <= end for at in admitted) <= window.count


@given(windows=WINDOWS, pauses=PAUSES)
def test_same_requests_are_admitted_as_by_a_store_that_keeps_everything(
    windows: list[Window], pauses: list[int]
) -> None:
    clock, other_clock = FakeSeconds(), FakeSeconds()
    admitted = asyncio.run(admitted_at(limits_memory(clock), clock, windows, pauses))
    assert admitted == asyncio.run(admitted_at(FakeRateStore(other_clock), other_clock, windows, pauses))


@given(keys=st.lists(st.integers(0, 20), max_size=200), pause=st.integers(0, 20), max_keys=st.integers(1, 5))
def test_memory_never_holds_more_keys_than_it_may(keys: list[int], pause: int, max_keys: int) -> None:
    clock = FakeSeconds()
    storage = BoundedMemoryStorage(max_keys=max_keys, clock=clock)
    store = LimitsRateStore(storage, clock=clock)

    async def take_all() -> None:
        for key in keys:
            clock.advance(pause)
            await store.take(str(key), [Window(count=1, seconds=30)])
            assert len(storage) <= max_keys

    asyncio.run(take_all())
