from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from strongroom_service.domain.errors import RatesUnavailable
from strongroom_service.domain.rates import Window
from strongroom_service.front.patient_rates import REST_SECONDS, PatientRateStore
from strongroom_service.front.rates import Full
from tests.fakes.log import RecordingLog
from tests.fakes.metrics import make_metrics
from tests.fakes.rates import ROOMY, FakeRateStore, FakeSeconds


class HangingRateStore(FakeRateStore):
    """Answers only while it does not hang."""

    def __init__(self, clock: FakeSeconds) -> None:
        super().__init__(clock)
        self.hangs = False
        self.asked = 0

    async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        return await super().take(key, windows)


class Bench:
    def __init__(self) -> None:
        self.clock, self.metrics, self.log = FakeSeconds(), make_metrics(), RecordingLog()
        self.behind = HangingRateStore(self.clock)
        self.store = PatientRateStore(
            self.behind, timeout_seconds=0.01, clock=self.clock, metrics=self.metrics, log=self.log
        )

    async def take(self) -> Full | None:
        return await self.store.take("a", [ROOMY])

    async def fail(self) -> None:
        with pytest.raises(RatesUnavailable):
            await self.take()

    def ready(self) -> float | None:
        return self.metrics.registry.get_sample_value("strongroom_ready", {"component": "rates"})


async def test_answer_of_the_store_is_passed_on() -> None:
    bench = Bench()
    assert await bench.store.take("a", [Window(count=1, seconds=60)]) is None
    full = await bench.store.take("a", [Window(count=1, seconds=60)])
    assert full == Full(window=Window(count=1, seconds=60), wait_seconds=60)
    assert bench.log.lines == []


async def test_nobody_waits_for_a_store_that_hangs() -> None:
    bench = Bench()
    bench.behind.hangs = True
    async with asyncio.timeout(5):
        await bench.fail()


async def test_while_it_is_down_one_call_in_a_while_asks_and_others_are_told_at_once() -> None:
    bench = Bench()
    bench.behind.hangs = True
    await bench.fail()
    for _ in range(10):
        await bench.fail()
    assert bench.behind.asked == 1
    bench.clock.advance(REST_SECONDS)
    await asyncio.gather(*(bench.fail() for _ in range(10)))
    assert bench.behind.asked == 2


async def test_with_its_first_answer_all_ask_again() -> None:
    bench = Bench()
    bench.behind.down = True
    await bench.fail()
    bench.behind.down = False
    await bench.fail()
    bench.clock.advance(REST_SECONDS)
    assert [await bench.take() for _ in range(3)] == [None] * 3


async def test_going_down_and_coming_up_are_told_once_each() -> None:
    bench = Bench()
    bench.behind.down = True
    for _ in range(3):
        await bench.fail()
        bench.clock.advance(REST_SECONDS)
    assert (bench.log.events(), bench.ready()) == (["rate_store_down"], 0)
    bench.behind.down = False
    await bench.take()
    await bench.take()
    assert (bench.log.events(), bench.ready()) == (["rate_store_down", "rate_store_up"], 1)
