"""Lines about refusals that a flood may cause by the thousand: so many a second are written, the others are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Reason

if TYPE_CHECKING:
    from strongroom_service.front.guard import Log

CHEAP_REASONS: Final = frozenset({Reason.RATE_LIMITED, Reason.BUSY, Reason.TOKEN_REJECTED, Reason.DEADLINE_REQUIRED})
"""What anybody can bring about at no cost. Every other refusal is written, however many there are."""

LINES_A_SECOND: Final = 50


class FloodLog:
    """Writes such lines. The metrics count each refusal whether it is written or not."""

    def __init__(self, log: Log, *, clock: Callable[[], float]) -> None:
        """`clock` returns seconds and never goes back."""
        self._log = log
        self._clock = clock
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def info(self, event: str, **fields: object) -> None:
        """Write a line, or count it; the count is written with the first line of a later second."""
        second = int(self._clock())
        if second != self._second:
            if self._left_out:
                self._log.info("refusals_not_logged", count=self._left_out)
            self._second, self._lines, self._left_out = second, 0, 0
        if self._lines < LINES_A_SECOND:
            self._lines += 1
            self._log.info(event, **fields)
        else:
            self._left_out += 1
