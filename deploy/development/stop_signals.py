"""Ctrl-C and its like, for programs that start services: the first one ends the work, none disturbs the cleaning up."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

_EXIT_CODE_BASE: Final = 128
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Turns the first signal that asks to stop into SystemExit, and ignores all that follow.

    Attributes:
        exit_code: 0, or 128 and the number of the signal that came.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        for number in _SIGNALS:
            signal.signal(number, self._stop)

    def ignore_further(self) -> None:
        """Ignore signals from now on: to be called before cleaning up."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.ignore_further()
        self.exit_code = _EXIT_CODE_BASE + number
        raise SystemExit(self.exit_code)
