from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.child import Child, ChildSpec
from tests.fakes.log import RecordingLog
from tests.integration.link.support import until

SLEEPER = ["/bin/sleep", "1000"]


def status_of(running: Child) -> dict[str, str]:
    lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.fixture
def sleeper() -> Iterator[Callable[..., Child]]:
    running: list[Child] = []

    def start(*, uid: int | None = None, gid: int | None = None, environment: dict[str, str] | None = None) -> Child:
        spec = ChildSpec(name="sleeper", argv=SLEEPER, uid=uid, gid=gid, environment=environment or {})
        running.append(Child(spec, log=RecordingLog()))
        return running[-1]

    yield start
    for started in running:
        started.kill()
        until(lambda started=started: started.exit_code() is not None, "it ends")  # type: ignore[misc]


def test_a_child_gets_its_own_user_and_no_way_to_more(sleeper: Callable[..., Child]) -> None:
    # Only root can give ids away; anybody else's child keeps the parent's.
    uid, gid = (65534, 65533) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    running = sleeper(uid=uid, gid=gid)
    status = status_of(running)
    assert status["Uid"].split() == [str(uid)] * 4
    assert status["Gid"].split() == [str(gid)] * 4
    assert os.geteuid() != 0 or status["Groups"] == ""
    assert os.geteuid() != 0 or int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Umask"] == "0077"
    assert int(status["SigBlk"], 16) == 0
    assert os.getsid(running.pid) == running.pid


def test_a_child_gets_no_environment_but_its_own(sleeper: Callable[..., Child]) -> None:
    running = sleeper(environment={"LANG": "C"})
    environment = Path(f"/proc/{running.pid}/environ").read_bytes().split(b"\0")
    assert {entry.partition(b"=")[0] for entry in environment if entry} == {b"LANG", b"STRONGROOM_HEARTBEAT_FD"}


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Misconfigured, match="/nowhere/program"):
        Child(ChildSpec(name="ghost", argv=["/nowhere/program"]), log=RecordingLog())
