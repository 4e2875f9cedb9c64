"""A clock that stands until it is told to move."""

from __future__ import annotations

from strongroom_service.domain.clock import Millis

SECOND = 1_000
START = Millis(1_800_000_000_000)


class FakeClock:
    def __init__(self, now: Millis = START) -> None:
        self._now = now

    def now(self) -> Millis:
        return self._now

    def advance(self, *, seconds: int) -> None:
        self._now = Millis(self._now + seconds * SECOND)
