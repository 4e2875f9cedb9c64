"""What doctor says of the host: here of processes that are no keepers, so that they can be as bad as they like."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from strongroom_service.bootstrap.doctor.findings import Outcome
from strongroom_service.bootstrap.doctor.host import check_clock, check_core_dumps, check_memory_lock
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
