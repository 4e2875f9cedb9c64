"""What every store of rates does: the fake that other tests use, and the two over the `limits` library.

Redis is a real server. Its entries are made older where the others' clock is moved, and its time passes meanwhile:
hence waits that are about right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol, cast

import pytest

from strongroom_service.domain.rates import Window
from strongroom_service.front.limits_rates import BoundedMemoryStorage, LimitsRateStore
from strongroom_service.front.patient_rates import PatientRateStore
from strongroom_service.front.rates import Full, RateStore
from strongroom_service.front.redis_rates import open_redis
from tests.fakes.log import RecordingLog
from tests.fakes.metrics import make_metrics
from tests.fakes.rates import FakeRateStore, FakeSeconds
from tests.fixtures.redis import RedisServer

MINUTE = Window(count=2, seconds=60)
HOUR = Window(count=3, seconds=3_600)


class Passing(Protocol):
    """Lets time pass."""

    def advance(self, seconds: float) -> None: ...


@pytest.fixture(params=["fake", "memory", "redis"])
async def passing_and_store(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> AsyncIterator[tuple[Passing, RateStore]]:
    clock = FakeSeconds()
    if request.param == "fake":
        yield clock, FakeRateStore(clock)
    elif request.param == "memory":
        yield clock, LimitsRateStore(BoundedMemoryStorage(max_keys=10, clock=clock), clock=clock)
    else:
        redis_server.empty()
        storage, close = open_redis(redis_server.settings(), key_prefix="https://vault.example", log=RecordingLog())
        limits = LimitsRateStore(storage, clock=time.time)
        yield (
            redis_server,
            PatientRateStore(
                limits, timeout_seconds=5, clock=time.monotonic, metrics=make_metrics(), log=RecordingLog()
            ),
        )
        await close()


@pytest.fixture
def clock(passing_and_store: tuple[Passing, RateStore]) -> Passing:
    return passing_and_store[0]


@pytest.fixture
def store(passing_and_store: tuple[Passing, RateStore]) -> RateStore:
    return passing_and_store[1]


def about(window: Window, wait_seconds: float) -> Full:
    return Full(window=window, wait_seconds=cast("float", pytest.approx(wait_seconds, abs=0.9)))


async def test_window_takes_its_count_and_then_says_how_long_to_wait(store: RateStore, clock: Passing) -> None:
    assert await store.take("a", [MINUTE]) is None
    clock.advance(20)
    assert await store.take("a", [MINUTE]) is None
    clock.advance(15)
    assert await store.take("a", [MINUTE]) == about(MINUTE, 25)


async def test_room_comes_back_one_by_one_as_requests_leave_the_window(store: RateStore, clock: Passing) -> None:
    await store.take("a", [MINUTE])
    clock.advance(20)
    await store.take("a", [MINUTE])
    clock.advance(38)
    assert await store.take("a", [MINUTE]) == about(MINUTE, 2)
    clock.advance(2.5)
    assert await store.take("a", [MINUTE]) is None
    assert await store.take("a", [MINUTE]) == about(MINUTE, 19.5)


async def test_what_was_refused_does_not_count(store: RateStore, clock: Passing) -> None:
    for _ in range(2):
        await store.take("a", [MINUTE])
    for _ in range(50):
        clock.advance(1)
        assert await store.take("a", [MINUTE]) is not None
    clock.advance(11)
    assert await store.take("a", [MINUTE]) is None


async def test_all_windows_hold_at_once_and_the_longest_wait_is_told(store: RateStore, clock: Passing) -> None:
    for _ in range(2):
        assert await store.take("a", [MINUTE, HOUR]) is None
    assert await store.take("a", [MINUTE, HOUR]) == about(MINUTE, 60)
    clock.advance(61)
    assert await store.take("a", [MINUTE, HOUR]) is None
    assert await store.take("a", [MINUTE, HOUR]) == about(HOUR, 3_539)
    clock.advance(3_540)
    assert await store.take("a", [MINUTE, HOUR]) is None


async def test_full_window_takes_nothing_from_the_others(store: RateStore, clock: Passing) -> None:
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


async def test_many_at_once_never_exceed_a_window(store: RateStore) -> None:
    taken = await asyncio.gather(*(store.take("a", [HOUR, Window(count=100, seconds=60)]) for _ in range(20)))
    assert taken.count(None) == HOUR.count
