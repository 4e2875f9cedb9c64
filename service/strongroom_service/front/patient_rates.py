"""A store of rates that is asked over a network: nobody waits for it long, and while it is down nobody but one asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import RatesUnavailable
from strongroom_service.telemetry.metrics import Component

if TYPE_CHECKING:
    from strongroom_service.domain.rates import Window
    from strongroom_service.front.guard import Log
    from strongroom_service.front.rates import Full, RateStore
    from strongroom_service.telemetry.metrics import Metrics

REST_SECONDS: Final = 1.0


class PatientRateStore:
    """Implements `front.rates.RateStore` over another, with an end to each wait.

    After a failure everybody is told so at once; one call in `REST_SECONDS` asks, and with its answer all ask again.
    Without that, all calls that come while the store hangs would wait for it, in every scope.
    """

    def __init__(
        self, store: RateStore, *, timeout_seconds: float, clock: Callable[[], float], metrics: Metrics, log: Log
    ) -> None:
        """`clock` returns seconds and never goes back."""
        self._store = store
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._down = False
        self._ask_at = 0.0

    async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
        """See the port."""
        if self._down:
            now = self._clock()
            if now < self._ask_at:
                raise RatesUnavailable("rate store: down")
            self._ask_at = now + REST_SECONDS
        try:
            async with asyncio.timeout(self._timeout_seconds):
                full = await self._store.take(key, windows)
        except TimeoutError as error:
            self._note(RatesUnavailable("rate store: no answer in time"))
            raise RatesUnavailable("rate store: no answer in time") from error
        except RatesUnavailable as error:
            self._note(error)
            raise
        self._note(None)
        return full

    def _note(self, error: RatesUnavailable | None) -> None:
        if error is not None:
            self._ask_at = self._clock() + REST_SECONDS
        if self._down == (error is not None):
            return
        self._down = error is not None
        self._metrics.set_ready(Component.RATES, ready=error is None)
        if error is None:
            self._log.info("rate_store_up")
        else:
            self._log.error("rate_store_down", why=str(error))
