"""What the supervisor has done again and again by children that end, and that the service does not depend on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.integration.link.serving import SLEEPER, Serve, child, listening
from tests.integration.link.support import until


def chore(argv: list[str], *, first: float = 0.0, pause: float = 0.1, **fields: object) -> dict[str, Any]:
    return {"spec": child("chore", argv, **fields), "first_seconds": first, "pause_seconds": pause}


def test_chore_is_done_again_after_its_pause(serve: Serve) -> None:
    serving = serve(chores=[chore(["/bin/true"])])
    serving.await_pids("chore", 3)
    assert serving.lines("chore_failed") == []


def test_chore_that_fails_is_told_and_the_service_goes_on(serve: Serve) -> None:
    """Even with the code by which a keeper would end the service."""
    serving = serve(chores=[chore([sys.executable, "-c", "raise SystemExit(78)"])])
    listening(serving, "one", "two")
    serving.await_pids("chore", 3)
    until(lambda: len(serving.lines("chore_failed")) >= 2, "its failures are told")
    assert {line["code"] for line in serving.lines("chore_failed")} == {78}
    assert serving.process.poll() is None
    assert len(serving.pids("one")) == len(serving.pids("two")) == len(serving.pids("front")) == 1


def test_chore_that_cannot_be_started_is_told_and_the_service_goes_on(serve: Serve, tmp_path: Path) -> None:
    serving = serve(chores=[chore([str(tmp_path / "nothing")])])
    until(lambda: len(serving.lines("chore_not_started")) >= 2, "it was tried again")
    assert serving.process.poll() is None
    listening(serving, "one", "two")


def test_chore_waits_for_its_first_time(serve: Serve) -> None:
    serving = serve(chores=[chore(["/bin/true"], first=1_000.0)])
    listening(serving, "one", "two")
    serving.await_pids("front", 1)
    assert serving.pids("chore") == []


def test_chore_that_falls_silent_is_killed(serve: Serve) -> None:
    serving = serve(chores=[chore(SLEEPER, start_timeout_seconds=0.2)])
    first, _ = serving.await_pids("chore", 2)
    assert serving.lines("child_silent")[0]["pid"] == first


def test_chore_under_way_ends_with_the_service(serve: Serve) -> None:
    serving = serve(chores=[chore(SLEEPER)])
    [pid] = serving.await_pids("chore", 1)
    os.kill(serving.process.pid, signal.SIGTERM)
    assert serving.exit_code() == 0
    assert pid in serving.ended()
