"""Time, as the rules see it: given in as an argument, or asked of a port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType, Protocol

Millis = NewType("Millis", int)
"""Unix time, or a duration, in milliseconds."""


class Clock(Protocol):
    """The process's own clock; no rule trusts a time that another party names."""

    def now(self) -> Millis:
        """Return unix time in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """What the kernel says of its clock: whether something keeps it right, and how wrong it may be all the same."""

    synchronised: bool
    max_error: Millis
