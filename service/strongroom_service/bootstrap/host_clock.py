"""The clocks of this host, and what one process hands to the next about them (clock_gettime(2), adjtimex(2))."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.system import SystemClock
from strongroom_service.domain.clock import Discipline, Millis
from strongroom_service.domain.errors import ClockUntrusted, Misconfigured
from strongroom_service.domain.steady_clock import ClockAnchor, SteadyClock, check_synchronised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from strongroom_service.config.vault_file import ClockRules
    from strongroom_service.link.log import Log

CLOCK_ANCHOR: Final = "STRONGROOM_CLOCK_ANCHOR"
"""Environment variable by which a child learns the anchor of the parent that started it."""

_NS_PER_MS: Final = 1_000_000
_US_PER_MS: Final = 1_000
_READINGS: Final = 5
_TIME_ERROR: Final = 5
_STA_UNSYNC: Final = 0x0040

_libc = ctypes.CDLL(None, use_errno=True)


def running_time() -> Millis:
    """Return the time since boot, suspension included: nobody can set it, and all processes read the same."""
    return Millis(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS)


def drop_anchor() -> ClockAnchor:
    """Take the host's clock, as it stands now, for right."""

    def reading() -> tuple[int, ClockAnchor]:
        before, wall, after = running_time(), SystemClock().now(), running_time()
        return after - before, ClockAnchor(wall=wall, running=before)

    # A process may be stopped between two readings: the tightest of a few is taken.
    return min((reading() for _ in range(_READINGS)), key=lambda each: each[0])[1]


def inherited_anchor(environment: Mapping[str, str]) -> ClockAnchor:
    """Return the anchor of the parent that started this process; a new one where there is no such parent.

    Raises:
        Misconfigured: what the environment holds is no anchor.
    """
    text = environment.get(CLOCK_ANCHOR)
    if text is None:
        return drop_anchor()
    try:
        return ClockAnchor.parse(text)
    except ValueError as error:
        raise Misconfigured(f"{CLOCK_ANCHOR} does not hold an anchor: {error}") from error


def steady_clock(anchor: ClockAnchor, rules: ClockRules, *, log: Log) -> SteadyClock:
    """Return this host's clock, held to `anchor`."""

    def tell(beyond: Millis) -> None:
        if beyond:
            log.error("clock_held", beyond_tolerance_ms=beyond, mend="set the clock right, then restart the service")
        else:
            log.info("clock_back_within_tolerance")

    return SteadyClock(
        anchor=anchor, tolerance=rules.tolerance, wall=SystemClock().now, running=running_time, tell=tell
    )


def clock_check(rules: ClockRules, *, read: Callable[[], Discipline]) -> Callable[[], None]:
    """Return what raises ClockUntrusted while the configuration forbids judging by a clock of which `read` tells."""
    if not rules.require_synchronised:
        return lambda: None
    return lambda: check_synchronised(read(), tolerance=rules.tolerance)


class _Timex(ctypes.Structure):
    """The head of struct timex, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def read_discipline() -> Discipline:
    """Ask the kernel about its clock; changes nothing (`modes` is 0), so needs no privilege.

    Raises:
        ClockUntrusted: it may not be asked here, as under some sandboxes.
    """
    timex = _Timex()
    state = _libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        raise ClockUntrusted(f"adjtimex failed: {os.strerror(ctypes.get_errno())}")
    return discipline_of(state, status=timex.status, max_error_us=timex.maxerror)


def discipline_of(state: int, *, status: int, max_error_us: int) -> Discipline:
    """Return what adjtimex's result and these fields of struct timex say."""
    synchronised = state != _TIME_ERROR and not status & _STA_UNSYNC
    return Discipline(synchronised=synchronised, max_error=Millis(max_error_us // _US_PER_MS))
