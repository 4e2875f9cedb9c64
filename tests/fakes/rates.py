"""A store of rates that keeps everything, one that is down, and a clock of seconds that stands until it is moved."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom_service.domain.errors import RatesUnavailable
from strongroom_service.domain.rates import RateScope, RpcClass, Window
from strongroom_service.front.guard import RPC_METHODS
from strongroom_service.front.rates import Full, Rates
from strongroom_service.telemetry.metrics import Metrics
from tests.fakes.log import RecordingLog

ROOMY = Window(count=1_000_000, seconds=60)


class FakeSeconds:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeRateStore:
    """Implements `front.rates.RateStore`."""

    def __init__(self, clock: FakeSeconds) -> None:
        self.clock = clock
        self.taken: list[tuple[str, float]] = []
        self.down = False

    async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
        if self.down:
            raise RatesUnavailable("pulled the plug")
        full = []
        for window in windows:
            times = [at for taken, at in self.taken if taken == key and at >= self.clock.now - window.seconds]
            if len(times) >= window.count:
                full.append(Full(window=window, wait_seconds=times[0] + window.seconds - self.clock.now))
        if not full:
            self.taken.append((key, self.clock.now))
        return max(full, key=lambda each: each.wait_seconds, default=None)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.taken]


def make_rates(
    store: FakeRateStore | None = None,
    *,
    metrics: Metrics | None = None,
    log: RecordingLog | None = None,
    **windows: Window,
) -> Rates:
    """Rates that let everything through, but for `windows` by scope."""
    store = store or FakeRateStore(FakeSeconds())
    return Rates(
        methods=RPC_METHODS,
        windows={scope: dict.fromkeys(RpcClass, (windows.get(scope.value, ROOMY),)) for scope in RateScope},
        stores=dict.fromkeys(RateScope, store),
        clock=store.clock,
        metrics=metrics or Metrics(version="0", rpc_methods=RPC_METHODS),
        log=log or RecordingLog(),
    )
