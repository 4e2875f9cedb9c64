from __future__ import annotations

import io

from strongroom_client.progress import BarProgress, LineProgress, progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_a_few_lines_however_many_steps_there_are() -> None:
    stream = io.StringIO()
    shown = progress_on(stream)
    shown.begin(task="archive", total_bytes=1000)
    for _ in range(1000):
        shown.advance(1)
    shown.end()
    shown.close()
    assert isinstance(shown, LineProgress)
    assert stream.getvalue().splitlines() == [
        "archive: 1.0 kB to go",
        "archive: 25 %",
        "archive: 50 %",
        "archive: 75 %",
        "archive: done, 1.0 kB",
    ]


def test_a_wrong_estimate_never_shows_more_than_there_is() -> None:
    stream = io.StringIO()
    shown = LineProgress(stream)
    shown.begin(task="archive", total_bytes=0)
    shown.advance(10)
    shown.end()
    assert "100 %" not in stream.getvalue()


def test_a_terminal_gets_a_bar_that_ends_full() -> None:
    stream = Terminal()
    shown = progress_on(stream)
    shown.begin(task="archive", total_bytes=1000)
    shown.advance(400)
    shown.end()
    assert isinstance(shown, BarProgress)
    assert "100%" in stream.getvalue()


def test_a_bar_that_never_began_can_be_closed() -> None:
    with_nothing = BarProgress(Terminal())
    with_nothing.advance(1)
    with_nothing.close()
