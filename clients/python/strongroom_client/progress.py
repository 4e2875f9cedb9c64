"""How far a long run has come: a bar on a terminal, a few lines anywhere else."""

from __future__ import annotations

from typing import Protocol, TextIO

from rich import progress as bars
from rich.console import Console
from rich.filesize import decimal

_STEPS = 4


class Progress(Protocol):
    """Told about progress. `advance` may be called from another thread than `begin` and `end`, never at once."""

    def begin(self, *, task: str, total_bytes: int) -> None:
        """Start showing `task` (one word); `total_bytes` is an estimate."""

    def advance(self, count: int) -> None:
        """Note `count` further bytes."""

    def end(self) -> None:
        """Say that the task is done. Not called after a failure."""


class SilentProgress:
    """Shows nothing."""

    def begin(self, *, task: str, total_bytes: int) -> None:
        """Show nothing."""

    def advance(self, count: int) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


class BarProgress:
    """A bar with speed and time left. `close` it also after a failure, so that the terminal is as it was."""

    def __init__(self, stream: TextIO) -> None:
        """Show on `stream`, a terminal."""
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TaskProgressColumn(),
            bars.DownloadColumn(),
            bars.TransferSpeedColumn(),
            bars.TimeRemainingColumn(),
            console=Console(file=stream),
        )
        self._task: bars.TaskID | None = None

    def begin(self, *, task: str, total_bytes: int) -> None:
        """Show an empty bar."""
        self._bars.start()
        self._task = self._bars.add_task(task, total=total_bytes)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, count)

    def end(self) -> None:
        """Fill the bar, however good the estimate was, and leave it standing."""
        if self._task is not None:
            self._bars.update(self._task, total=self._bars.tasks[self._task].completed)
        self.close()

    def close(self) -> None:
        """Give the terminal back."""
        self._bars.stop()


class LineProgress:
    """A line at each quarter: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        """Write lines to `stream`."""
        self._stream = stream
        self._task = ""
        self._total = 0
        self._done = 0
        self._steps = 0

    def begin(self, *, task: str, total_bytes: int) -> None:
        """Write the task and how much there is to do."""
        self._task, self._total, self._done, self._steps = task, total_bytes, 0, 0
        self._say(f"{decimal(total_bytes)} to go")

    def advance(self, count: int) -> None:
        """Write a line when another quarter is done, but for the last, which `end` writes."""
        self._done += count
        steps = min(self._done * _STEPS // max(self._total, 1), _STEPS - 1)
        if steps > self._steps:
            self._steps = steps
            self._say(f"{100 * steps // _STEPS} %")

    def end(self) -> None:
        """Write how much was done."""
        self._say(f"done, {decimal(self._done)}")

    def close(self) -> None:
        """Nothing to give back."""

    def _say(self, text: str) -> None:
        self._stream.write(f"{self._task}: {text}\n")
        self._stream.flush()


def progress_on(stream: TextIO) -> BarProgress | LineProgress:
    """Return what suits `stream`; the caller calls `close` on it at last, as with `contextlib.closing`."""
    return BarProgress(stream) if stream.isatty() else LineProgress(stream)
