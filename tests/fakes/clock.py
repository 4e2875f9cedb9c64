"""A clock that stands until it is told to move."""

from __future__ import annotations

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import ClockUntrusted

SECOND = 1_000
START = Millis(1_800_000_000_000)


class FakeClock:
    def __init__(self, now: Millis = START) -> None:
        self._now = now
        self.trusted = True

    def now(self) -> Millis:
        return self._now

    def advance(self, *, seconds: int) -> None:
        self._now = Millis(self._now + seconds * SECOND)

    def check(self) -> None:
        """What a keeper asks before it begins or judges."""
        if not self.trusted:
            raise ClockUntrusted("the kernel says that its clock is not synchronised")
