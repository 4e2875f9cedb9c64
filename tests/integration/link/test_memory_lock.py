"""Memory that is locked, and a process that may not lock it: that goes on, and says why."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.memory_lock import Wish, lock_as_wished
from tests.integration.link.support import ENVIRONMENT

# Takes 64 MiB after the lock, and tells whether these are locked too.
PROGRAM = """
import os, resource
from pathlib import Path
from strongroom_service.link.memory_lock import lift_limit, lock_memory
limit = (8 * 1024 * 1024,) * 2
{before}
why = lock_memory()
grown = b"x" * (64 * 1024 * 1024)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_bytes().decode().splitlines())
print(int(status["VmLck"].split()[0]) > 64 * 1024, why)
"""
LIMITED = "resource.setrlimit(resource.RLIMIT_MEMLOCK, limit)"
# Whoever is not root never had the capability.
UNPRIVILEGED = "if os.geteuid() == 0: os.setgroups([]), os.setgid(61_001), os.setuid(61_001)"


def tell(*before: str) -> str:
    """Whether the memory of a process that does these things before is locked, and why not."""
    argv = [sys.executable, "-c", PROGRAM.format(before="\n".join(before))]
    return subprocess.check_output(argv, env=ENVIRONMENT, text=True, timeout=60).strip()


def test_process_that_may_not_lock_its_memory_says_so_and_takes_more_all_the_same() -> None:
    assert tell(LIMITED, UNPRIVILEGED).startswith("False RLIMIT_MEMLOCK is 8388608 bytes")


def test_process_without_a_limit_has_all_memory_locked_also_what_it_takes_later() -> None:
    told = tell("lift_limit()", UNPRIVILEGED)
    # Who is neither root nor without a limit cannot lift it: then the answer is that of the test above.
    assert told == "True" or told.startswith("False RLIMIT_MEMLOCK is")
    assert tell(UNPRIVILEGED, "lift_limit()").startswith(("True", "False RLIMIT_MEMLOCK is"))


def test_memory_of_a_process_that_does_not_ask_is_not_locked() -> None:
    """The control of what these tests look at."""
    assert tell("lock_memory = lambda: 'never asked'") == "False never asked"


@pytest.mark.parametrize(
    ("wish", "outcome"),
    [("where_possible", "no room"), ("no", "the configuration says no")],
)
def test_wish_that_cannot_be_met_is_answered_with_the_reason(wish: Wish, outcome: str) -> None:
    assert lock_as_wished(wish, lock=lambda: "no room") == outcome


def test_keeper_that_must_lock_its_memory_and_cannot_does_not_start() -> None:
    with pytest.raises(Misconfigured, match="lock_memory is required, but: no room"):
        lock_as_wished("required", lock=lambda: "no room")
    assert lock_as_wished("required", lock=lambda: "") == ""
