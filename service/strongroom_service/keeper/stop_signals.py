"""SIGTERM, SIGINT and SIGHUP as something a selector can wait for."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MANY = 4_096


class StopSignals:
    """While entered, SIGTERM and SIGINT only set `asked`, and SIGHUP is what `take_reload` tells; main thread only.

    The descriptor becomes readable then, so that a signal that arrives just before the wait still ends it. A SIGHUP
    that came before, while it was blocked, arrives on entering.
    """

    def __init__(self) -> None:
        self.asked = False
        self._reload_asked = False

    def __enter__(self) -> Self:
        self._awake, self._wake = socket.socketpair()
        self._awake.settimeout(0)
        self._wake.settimeout(0)
        self._previous_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._note) for number in _NOTED}
        self._previous_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._previous_mask)
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._awake.close()
        self._wake.close()

    def fileno(self) -> int:
        """For the selector."""
        return self._awake.fileno()

    def awake(self) -> None:
        """Have the descriptor wait for the next signal."""
        self._awake.recv(_MANY)

    def take_reload(self) -> bool:
        """Return whether files are to be read again, once for all that asked."""
        asked, self._reload_asked = self._reload_asked, False
        return asked

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_asked = True
        else:
            self.asked = True
