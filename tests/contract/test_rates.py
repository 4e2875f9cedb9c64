"""What every store of rates does: the fake that other tests use, and the one over the `limits` library."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom_service.domain.rates import Window
from strongroom_service.front.limits_rates import BoundedMemoryStorage, LimitsRateStore
from strongroom_service.front.rates import Full, RateStore
from tests.fakes.rates import FakeRateStore, FakeSeconds

MINUTE = Window(count=2, seconds=60)
HOUR = Window(count=3, seconds=3_600)


def limits_memory(clock: FakeSeconds) -> RateStore:
    return LimitsRateStore(BoundedMemoryStorage(max_keys=10, clock=clock), clock=clock)


@pytest.fixture
def clock() -> FakeSeconds:
    return FakeSeconds()


@pytest.fixture(params=[FakeRateStore, limits_memory])
def store(request: pytest.FixtureRequest, clock: FakeSeconds) -> RateStore:
    make: Callable[[FakeSeconds], RateStore] = request.param
    return make(clock)


async def test_window_takes_its_count_and_then_says_how_long_to_wait(store: RateStore, clock: FakeSeconds) -> None:
    assert await store.take("a", [MINUTE]) is None
    clock.advance(20)
    assert await store.take("a", [MINUTE]) is None
    clock.advance(15)
    assert await store.take("a", [MINUTE]) == Full(window=MINUTE, wait_seconds=25)


async def test_room_comes_back_one_by_one_as_requests_leave_the_window(store: RateStore, clock: FakeSeconds) -> None:
    await store.take("a", [MINUTE])
    clock.advance(20)
    await store.take("a", [MINUTE])
    clock.advance(40)
    assert await store.take("a", [MINUTE]) == Full(window=MINUTE, wait_seconds=0)
    clock.advance(0.5)
    assert await store.take("a", [MINUTE]) is None
    assert await store.take("a", [MINUTE]) == Full(window=MINUTE, wait_seconds=19.5)


async def test_what_was_refused_does_not_count(store: RateStore, clock: FakeSeconds) -> None:
    for _ in range(2):
        await store.take("a", [MINUTE])
    for _ in range(50):
        clock.advance(1)
        assert await store.take("a", [MINUTE]) is not None
    clock.advance(11)
    assert await store.take("a", [MINUTE]) is None


async def test_all_windows_hold_at_once_and_the_longest_wait_is_told(store: RateStore, clock: FakeSeconds) -> None:
    for _ in range(2):
        assert await store.take("a", [MINUTE, HOUR]) is None
    assert await store.take("a", [MINUTE, HOUR]) == Full(window=MINUTE, wait_seconds=60)
    clock.advance(61)
    assert await store.take("a", [MINUTE, HOUR]) is None
    assert await store.take("a", [MINUTE, HOUR]) == Full(window=HOUR, wait_seconds=3_539)
    clock.advance(3_540)
    assert await store.take("a", [MINUTE, HOUR]) is None


async def test_full_window_takes_nothing_from_the_others(store: RateStore, clock: FakeSeconds) -> None:
    for _ in range(2):
        await store.take("a", [HOUR, MINUTE])
    for _ in range(5):
        assert await store.take("a", [HOUR, MINUTE]) is not None
    clock.advance(61)
    assert await store.take("a", [HOUR, MINUTE]) is None


async def test_keys_do_not_count_for_each_other(store: RateStore) -> None:
    for key in ("a", "b", "c"):
        for _ in range(2):
            assert await store.take(key, [MINUTE]) is None
        assert await store.take(key, [MINUTE]) is not None
