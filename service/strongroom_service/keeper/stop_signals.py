"""SIGTERM and SIGINT as something a selector can wait for."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While entered, both signals only set `asked`; main thread only.

    The descriptor becomes readable then, so that a signal that arrives just before the wait still ends it.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._awake, self._wake = socket.socketpair()
        self._awake.settimeout(0)
        self._wake.settimeout(0)
        self._previous_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._note) for number in _STOPPING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._awake.close()
        self._wake.close()

    def fileno(self) -> int:
        """For the selector."""
        return self._awake.fileno()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
