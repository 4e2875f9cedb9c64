"""Rates counted by the `limits` library, here in this process's memory; for a shared Redis see `redis_rates`.

The library's strategy is the moving window: exact, unlike its fixed windows (twice the count around an edge) and its
sliding counters (an estimate). Its own memory storage is not used: that one never forgets a key before its time, walks
through all keys a hundred times a second while there are calls, and reads the wall clock, which can be set back.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from strongroom_service.domain.errors import RatesUnavailable
from strongroom_service.domain.rates import Window
from strongroom_service.front.rates import Full

_NAMESPACE: Final = "strongroom"
_FORGOTTEN_AT_ONCE: Final = 2


class LimitsRateStore:
    """Implements `front.rates.RateStore` over a storage of `limits` that can do moving windows."""

    def __init__(self, storage: Storage, *, clock: Callable[[], float]) -> None:
        """`clock` returns the storage's own time in seconds; the storage was made with `wrap_exceptions=True`."""
        self._limiter = MovingWindowRateLimiter(storage)
        self._clock = clock

    async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
        """See the port. Where others use the storage meanwhile, a request that is refused may count in some windows."""
        # Of the first nothing is asked beforehand: counting tells as well, and each question is a way to the storage.
        first, *others = windows
        try:
            full = [await self._full(key, each) for each in others if not await self._limiter.test(_item(each), key)]
            if full:
                full += [await self._full(key, first)] if not await self._limiter.test(_item(first), key) else []
            elif not await self._limiter.hit(_item(first), key):
                full = [await self._full(key, first)]
            else:
                full = [await self._full(key, each) for each in others if not await self._limiter.hit(_item(each), key)]
        except StorageError as error:
            raise RatesUnavailable(f"rate store: {type(error.storage_error).__name__}") from error
        return max(full, key=lambda each: each.wait_seconds, default=None)

    async def _full(self, key: str, window: Window) -> Full:
        reset_at = (await self._limiter.get_window_stats(_item(window), key)).reset_time
        return Full(window=window, wait_seconds=max(reset_at - self._clock(), 0.0))


@functools.lru_cache
def _item(window: Window) -> RateLimitItem:
    return RateLimitItemPerSecond(window.count, window.seconds, _NAMESPACE)


class BoundedMemoryStorage(Storage, MovingWindowSupport):
    """Moving windows over at most `max_keys` keys per window length; for one event loop.

    Keys of one length are kept in the order of their last counted request, which is the order in which their windows
    pass: those that have passed go first, and only when none has does the one closest to passing.
    """

    STORAGE_SCHEME = None

    def __init__(self, *, max_keys: int, clock: Callable[[], float]) -> None:
        """`clock` returns seconds and never goes back."""
        super().__init__(wrap_exceptions=True)
        self._max_keys = max_keys
        self._clock = clock
        # Of each key the times of its requests, sorted; 8 bytes each, as there may be very many.
        self._times: defaultdict[int, OrderedDict[str, array[float]]] = defaultdict(OrderedDict)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return sum(map(len, self._times.values()))

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What fails here is a defect, and not to be taken for trouble of a storage."""
        return ()

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` requests if that leaves at most `limit` in `expiry` seconds."""
        now, keys = self._clock(), self._times[expiry]
        times = keys.get(key)
        passed = 0 if times is None else bisect_left(times, now - expiry)
        counted = 0 if times is None else len(times) - passed
        if counted + amount > limit:
            return False
        if times is None:
            self._make_room(keys, start=now - expiry)
            times = keys[key] = array("d")
        if passed > counted:  # not at each request: what stays has to be moved
            del times[:passed]
        times.extend([now] * amount)
        keys.move_to_end(key)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002  the library's
        """Return the time of the first request in the window (now if there is none), and how many there are."""
        now = self._clock()
        times = self._times[expiry].get(key)
        passed = 0 if times is None else bisect_left(times, now - expiry)
        if times is None or passed == len(times):
            return now, 0
        return times[passed], len(times) - passed

    def _make_room(self, keys: OrderedDict[str, array[float]], *, start: float) -> None:
        # A few at a time: no call pays for a crowd that has gone, and each new key still finds more gone than it adds.
        for _ in range(_FORGOTTEN_AT_ONCE):
            first = next(iter(keys.values()), None)
            if first is not None and (len(keys) >= self._max_keys or first[-1] < start):
                keys.popitem(last=False)

    async def clear(self, key: str) -> None:
        """Forget a key."""
        for keys in self._times.values():
            keys.pop(key, None)

    async def reset(self) -> int:
        """Forget all keys; return how many there were."""
        count = len(self)
        self._times.clear()
        return count

    async def check(self) -> bool:
        """Return that it works."""
        return True

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:  # noqa: ARG002  the library's
        """Not for moving windows."""
        _no_fixed_windows()

    async def get(self, key: str) -> int:  # noqa: ARG002  the library's
        """Not for moving windows."""
        _no_fixed_windows()

    async def get_expiry(self, key: str) -> float:  # noqa: ARG002  the library's
        """Not for moving windows."""
        _no_fixed_windows()


def _no_fixed_windows() -> NoReturn:
    raise NotImplementedError("moving windows only")
