"""SIGHUP: files are read again, and nobody ends of it."""

from __future__ import annotations

import os
import signal

from tests.integration.link.serving import Serve, listening
from tests.integration.link.support import until


def test_hangup_has_the_files_read_and_then_every_child_told(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one", "two")
    serving.process.send_signal(signal.SIGHUP)
    until(lambda: len(serving.lines("reloaded")) == 2, "keepers were told")
    assert len(serving.lines("files_read")) == 1
    assert serving.process.poll() is None
    assert len(serving.pids("one")) == len(serving.pids("two")) == 1  # nobody ended of it


def test_child_told_before_it_is_ready_hears_of_it_when_it_is(serve: Serve) -> None:
    serving = serve()
    [pid] = serving.await_pids("one", 1)
    os.kill(pid, signal.SIGHUP)  # Python has hardly begun: no handler is there
    until(lambda: len(serving.lines("reloaded")) == 1, "the keeper heard of it")
    assert serving.pids("one") == [pid]
