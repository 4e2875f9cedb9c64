"""What the demo tells while it happens: chapters, facts with figures, and a bar where somebody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TextIO

from strongroom_client.progress import BarProgress, Progress, SilentProgress


class Narration:
    """Writes to `stream`, a line at a time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._say(title)

    def fact(self, text: str) -> None:
        """Tell something that held."""
        self._say(f"   {text}")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Yield a bar on a terminal; elsewhere the facts have to do."""
        if not self._stream.isatty():
            yield SilentProgress()
            return
        with closing(BarProgress(self._stream)) as bar:
            yield bar

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def megabytes(count: int) -> str:
    """Return `count` bytes as people say it."""
    return f"{count / 1e6:,.1f} MB"


def speed(count: int, *, seconds: float) -> str:
    """Return time and bytes per second."""
    return f"{seconds:.1f} s ({count / 1e6 / max(seconds, 1e-3):,.0f} MB/s)"
