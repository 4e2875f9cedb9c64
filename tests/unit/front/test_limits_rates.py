from __future__ import annotations

import pytest
from limits.errors import StorageError

from strongroom_service.domain.errors import RatesUnavailable
from strongroom_service.domain.rates import Window
from strongroom_service.front.limits_rates import BoundedMemoryStorage, LimitsRateStore
from tests.fakes.rates import FakeSeconds

ONCE = Window(count=1, seconds=60)
ONCE_AN_HOUR = Window(count=1, seconds=3_600)


class Memory:
    def __init__(self, *, max_keys: int) -> None:
        self.clock = FakeSeconds()
        self.storage = BoundedMemoryStorage(max_keys=max_keys, clock=self.clock)
        self.store = LimitsRateStore(self.storage, clock=self.clock)

    async def admits(self, key: str, window: Window = ONCE) -> bool:
        return await self.store.take(key, [window]) is None


async def test_keys_stay_bounded_whatever_their_number() -> None:
    memory = Memory(max_keys=100)
    for number in range(10_000):
        assert await memory.admits(f"address-{number}")
        assert len(memory.storage) <= 100


async def test_key_used_longest_ago_is_forgotten_first() -> None:
    memory = Memory(max_keys=3)
    for key in ("old", "middle", "new"):
        await memory.admits(key)
        memory.clock.advance(1)
    await memory.admits("newest")
    assert not await memory.admits("middle")
    assert not await memory.admits("new")
    assert await memory.admits("old")


async def test_keys_whose_window_has_passed_make_room_first() -> None:
    memory = Memory(max_keys=3)
    await memory.admits("passed")
    memory.clock.advance(59)
    await memory.admits("live")
    memory.clock.advance(2)
    await memory.admits("also live")
    await memory.admits("newest")
    assert [await memory.admits(key) for key in ("live", "also live", "newest")] == [False, False, False]


async def test_crowd_that_has_gone_is_forgotten_before_memory_is_full() -> None:
    memory = Memory(max_keys=1_000)
    for number in range(100):
        await memory.admits(f"gone-{number}")
    memory.clock.advance(61)
    for number in range(100):
        await memory.admits(f"here-{number}")
    assert len(memory.storage) == 100


async def test_crowd_of_one_window_length_makes_nobody_forget_another() -> None:
    memory = Memory(max_keys=3)
    await memory.admits("account", ONCE_AN_HOUR)
    for number in range(10):
        await memory.admits(f"address-{number}", ONCE)
    assert not await memory.admits("account", ONCE_AN_HOUR)


async def test_refused_request_of_a_busy_key_does_not_keep_it_from_being_forgotten() -> None:
    memory = Memory(max_keys=2)
    await memory.admits("flood")
    memory.clock.advance(1)
    await memory.admits("other")
    assert not await memory.admits("flood")
    await memory.admits("newest")
    assert not await memory.admits("other")


async def test_forgetting_and_counting_by_hand() -> None:
    memory = Memory(max_keys=5)
    for key in ("a", "b"):
        await memory.admits(key)
    await memory.storage.clear("strongroom/a/1/60/second")
    assert await memory.admits("a")
    assert await memory.storage.check()
    assert await memory.storage.reset() == 2
    assert len(memory.storage) == 0


async def test_fixed_windows_are_not_offered() -> None:
    storage = Memory(max_keys=1).storage
    for call in (storage.incr("a", 60), storage.get("a"), storage.get_expiry("a")):
        with pytest.raises(NotImplementedError):
            await call


class BrokenStorage(BoundedMemoryStorage):
    """Fails as a storage of the library does when its server has gone."""

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        raise StorageError(ConnectionError("redis://:hunter2@rates"))


async def test_storage_that_fails_is_told_as_our_fault_without_its_words() -> None:
    clock = FakeSeconds()
    store = LimitsRateStore(BrokenStorage(max_keys=1, clock=clock), clock=clock)
    with pytest.raises(RatesUnavailable) as raised:
        await store.take("a", [ONCE])
    assert str(raised.value) == "rate store: ConnectionError"
