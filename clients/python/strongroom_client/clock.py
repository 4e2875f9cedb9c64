"""Time as the client's rules see it: unix milliseconds, asked of a port."""

from __future__ import annotations

import time
from typing import NewType, Protocol

Millis = NewType("Millis", int)
"""Unix time, or a duration, in milliseconds."""


class Clock(Protocol):
    """This device's clock."""

    def __call__(self) -> Millis:
        """Return unix time in milliseconds."""


def system_clock() -> Millis:
    """Return the operating system's time."""
    return Millis(time.time_ns() // 1_000_000)
