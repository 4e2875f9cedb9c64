"""What doctor says of the host: here of processes that are no keepers, so that they can be as bad as they like."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom_service.bootstrap.doctor.findings import Outcome
from strongroom_service.bootstrap.doctor.host import check_clock, check_core_dumps, check_memory_lock, check_room
from strongroom_service.config.vault_file import ClockRules
from strongroom_service.domain.clock import Discipline, Millis

LEAKY = 'ulimit -S -c "$(ulimit -H -c)"; [ "$(ulimit -c)" != 0 ] || exit 9; echo ready; exec sleep 600'
TIGHT = "ulimit -c 0; echo ready; exec sleep 600"


def started(script: str) -> Iterator[int]:
    with subprocess.Popen(["/bin/bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


@pytest.fixture
def leaky() -> Iterator[int]:
    yield from started(LEAKY)


@pytest.fixture
def tight() -> Iterator[int]:
    yield from started(TIGHT)


def test_process_that_may_dump_its_memory_is_named(leaky: int, tight: int) -> None:
    found = check_core_dumps([tight, leaky])
    assert (found.outcome, f"process {leaky} " in found.found) == (Outcome.FAIL, True)
    assert check_core_dumps([tight]).outcome is Outcome.OK
    assert check_core_dumps([]).outcome is Outcome.SKIP


@pytest.mark.parametrize(("wish", "outcome"), [("required", Outcome.FAIL), ("where_possible", Outcome.WARN)])
def test_process_whose_memory_may_be_swapped_is_named(tight: int, wish: str, outcome: Outcome) -> None:
    found = check_memory_lock([tight], wish=wish)
    assert (found.outcome, f"process {tight} " in found.found) == (outcome, True)


@pytest.mark.parametrize(
    ("synchronised", "required", "outcome"),
    [(True, True, Outcome.OK), (False, False, Outcome.WARN), (False, True, Outcome.FAIL)],
)
def test_clock_that_nothing_keeps_right_is_told(*, synchronised: bool, required: bool, outcome: Outcome) -> None:
    rules = ClockRules(require_synchronised=required)
    found = check_clock(rules, read=lambda: Discipline(synchronised=synchronised, max_error=Millis(1)))
    assert found.outcome is outcome


def room_of(**free_mib: int) -> Callable[[Path], os.statvfs_result]:
    """Return a file system for each folder by its name; another is not there."""

    def room(folder: Path) -> os.statvfs_result:
        if folder.name not in free_mib:
            raise FileNotFoundError
        blocks = free_mib[folder.name] * 256
        return os.statvfs_result((4_096, 4_096, 10**9, blocks, blocks, 10**6, 10**6, 10**6, 0, 255))

    return room


@pytest.mark.parametrize(
    ("least", "outcome"), [(31, Outcome.FAIL), (32, Outcome.WARN), (511, Outcome.WARN), (512, Outcome.OK)]
)
def test_the_fullest_disk_decides_whether_there_is_room(least: int, outcome: Outcome) -> None:
    folders = (Path("/data"), Path("/not-made-yet"), Path("/log"))
    found = check_room(folders, room=room_of(data=9_000, log=least))
    assert (found.check, found.outcome, found.found) == ("disk_room", outcome, f"/log has {least} MiB left")
    assert bool(found.remedy) == (outcome is not Outcome.OK)


def test_no_folder_at_all_is_no_finding_about_room() -> None:
    assert check_room((Path("/nowhere"),), room=room_of()).outcome is Outcome.SKIP
