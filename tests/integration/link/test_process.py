from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.heartbeat import HEARTBEAT_FD, Heartbeat, beat_forever
from tests.integration.link.support import ENVIRONMENT, eventually

HARDENED = """
import resource
from pathlib import Path
from strongroom_service.link.hardening import harden_process, is_dumpable
def tell():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    no_core = resource.getrlimit(resource.RLIMIT_CORE)[1] == 0
    print(is_dumpable(), no_core, status["NoNewPrivs"].strip(), status["Umask"].strip())
tell()
harden_process()
tell()
"""


def test_a_hardened_process_leaves_no_core_and_gains_no_privilege() -> None:
    told = subprocess.check_output([sys.executable, "-c", HARDENED], env=ENVIRONMENT, umask=0o022, text=True)
    before, after = told.splitlines()
    assert before.startswith("True ")  # control
    assert before.endswith(" 0022")
    assert after == "False True 1 0077"


CORE = "import os, signal{harden}; os.kill(os.getpid(), signal.SIGSEGV)"
HARDEN = "; from strongroom_service.link.hardening import harden_process; harden_process()"


def test_a_hardened_process_that_crashes_dumps_nothing() -> None:
    argv = [sys.executable, "-c", CORE.format(harden=HARDEN)]
    with subprocess.Popen(argv, env=ENVIRONMENT) as process:
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -1  # reaped above: only the raw status has the core flag
    assert os.WIFSIGNALED(status)
    assert not os.WCOREDUMP(status)


PARENT = """
import os
from strongroom_service.link.hardening import die_with_parent
die_with_parent({parent})
print("alive")
"""


@pytest.mark.parametrize(("parent", "says"), [("os.getppid()", "alive\n"), ("1 + os.getppid()", "")])
def test_a_child_whose_parent_has_gone_already_ends_itself(parent: str, says: str) -> None:
    argv = [sys.executable, "-c", PARENT.format(parent=parent)]
    done = subprocess.run(argv, env=ENVIRONMENT, check=False, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (says, 0 if says else 1)


def test_a_beat_on_one_side_is_seen_on_the_other() -> None:
    ours = Heartbeat.create("test")
    theirs = Heartbeat.inherited({HEARTBEAT_FD: str(os.dup(ours.fd))})
    assert theirs is not None
    assert ours.last_beat_ns() == 0
    theirs.beat()
    first = ours.last_beat_ns()
    theirs.beat()
    assert 0 < first < ours.last_beat_ns()
    theirs.close()
    ours.close()
    assert ours.closed


def test_a_child_cannot_shrink_the_memory_under_its_parent() -> None:
    heartbeat = Heartbeat.create("test")
    with pytest.raises(PermissionError):
        os.ftruncate(heartbeat.fd, 0)
    with pytest.raises(PermissionError):
        fcntl.fcntl(heartbeat.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    assert heartbeat.last_beat_ns() == 0
    heartbeat.close()


def test_nobody_watches_a_process_without_a_heartbeat() -> None:
    assert Heartbeat.inherited({}) is None


@pytest.mark.parametrize("number", ["", "seven", "-1", "9999"])
def test_a_descriptor_that_is_no_heartbeat_is_refused(number: str) -> None:
    with pytest.raises(Misconfigured):
        Heartbeat.inherited({HEARTBEAT_FD: number})


async def test_an_event_loop_beats_while_it_turns() -> None:
    heartbeat = Heartbeat.create("test")
    beating = asyncio.create_task(beat_forever(heartbeat))
    await eventually(heartbeat.last_beat_ns, "the first beat")
    first = heartbeat.last_beat_ns()
    await eventually(lambda: heartbeat.last_beat_ns() > first, "the next beat")
    beating.cancel()
    heartbeat.close()
