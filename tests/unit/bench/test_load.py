from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from tests.bench.load import arrivals
from tests.bench.orders import Run

PER_SECOND = 400.0


class SlowAccount:
    def __init__(self, ended: asyncio.Event) -> None:
        self.begun_at: list[float] = []
        self._ended = ended

    async def release(self, stub: object) -> None:
        self.begun_at.append(time.monotonic())
        await self._ended.wait()


def order(*, seconds: float, per_second: float | None = PER_SECOND) -> Run:
    now = time.monotonic()
    return Run(address="nowhere", clients=2, begins_at=now, ends_at=now + seconds, per_second=per_second)


async def test_releases_begin_whether_earlier_ones_have_ended_or_not() -> None:
    ended = asyncio.Event()
    account, seconds = SlowAccount(ended), list[float]()
    running = asyncio.create_task(
        arrivals(order(seconds=3_600.0), cast("Any", ["stub"]), [cast("Any", account)], seconds.append)
    )
    deadline = time.monotonic() + 30.0
    while len(account.begun_at) < 20:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert not seconds
    ended.set()
    while len(seconds) < 20:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    running.cancel()


async def test_latency_counts_from_when_a_release_was_due() -> None:
    ended = asyncio.Event()
    ended.set()
    account, seconds = SlowAccount(ended), list[float]()
    began = time.monotonic()
    late = order(seconds=0.3)
    running = asyncio.create_task(arrivals(late, cast("Any", ["stub"]), [cast("Any", account)], seconds.append))
    await asyncio.sleep(0)
    time.sleep(0.1)  # the generator is late  # noqa: ASYNC251
    await running
    first_late = min(at for at in account.begun_at if at > began + 0.1)
    assert account.begun_at[0] <= first_late
    assert max(seconds) > 0.05


async def test_a_pace_must_be_stated() -> None:
    with pytest.raises(ValueError, match="per_second=None"):
        await arrivals(order(seconds=1.0, per_second=None), [], [], print)
