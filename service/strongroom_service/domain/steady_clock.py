"""The host's clock, held to the time that passed since an anchor: setting it skips no wait and brings back no day.

Whoever sets the host's clock (an operator, a time server, a virtual machine that was moved) would otherwise end
cool-downs and refill daily quotas, or revive what has expired. The kernel's running time cannot be set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import ClockUntrusted

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Discipline

ReadMillis = Callable[[], Millis]
"""Reads one of the host's clocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnchor:
    """One moment on both clocks: `wall` is unix time, `running` the time since boot, suspension included."""

    wall: Millis
    running: Millis

    def expected(self, running: Millis) -> Millis:
        """Return the unix time at `running`, had nobody set the clock since."""
        return Millis(self.wall + running - self.running)

    def text(self) -> str:
        """Return what `parse` reads."""
        return f"{self.wall}:{self.running}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` wrote.

        Raises:
            ValueError: it is something else.
        """
        wall, running = text.split(":")
        if not (wall.isdecimal() and running.isdecimal()):
            raise ValueError("two times in milliseconds are expected")
        return cls(wall=Millis(int(wall)), running=Millis(int(running)))


class SteadyClock:
    """Implements `Clock`: unix time that stays within a tolerance of the anchor's, and never goes back.

    A replaced process must be given its predecessor's anchor, or a clock that was set meanwhile would be believed.
    """

    def __init__(
        self,
        *,
        anchor: ClockAnchor,
        tolerance: Millis,
        wall: ReadMillis,
        running: ReadMillis,
        tell: Callable[[Millis], None],
    ) -> None:
        """`tell` hears, once for each change, by how much the host's clock is beyond the tolerance; 0 if no longer."""
        self._anchor = anchor
        self._tolerance = tolerance
        self._wall = wall
        self._running = running
        self._tell = tell
        self._newest = Millis(0)
        self._held = 0

    def now(self) -> Millis:
        """See `Clock`."""
        wall = self._wall()
        beyond = self._beyond(wall)
        held = (beyond > 0) - (beyond < 0)
        if held != self._held:
            self._held = held
            self._tell(beyond)
        self._newest = max(self._newest, Millis(wall - beyond))
        return self._newest

    def beyond(self) -> Millis:
        """Return by how much the host's clock is ahead of (or, negative, behind) what the tolerance lets count."""
        return self._beyond(self._wall())

    def _beyond(self, wall: Millis) -> Millis:
        ahead = wall - self._anchor.expected(self._running())
        return Millis(ahead - max(-self._tolerance, min(self._tolerance, ahead)))


def check_synchronised(discipline: Discipline, *, tolerance: Millis) -> None:
    """Check that the kernel takes its clock for right, to within `tolerance`.

    Raises:
        ClockUntrusted: it does not.
    """
    if not discipline.synchronised:
        raise ClockUntrusted("the kernel says that its clock is not synchronised")
    if discipline.max_error > tolerance:
        raise ClockUntrusted(f"the kernel's clock may be wrong by {discipline.max_error} ms")
