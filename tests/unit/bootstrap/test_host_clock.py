"""The host's clocks as they are, the anchor between processes, and what the kernel says of its clock."""

from __future__ import annotations

import time

import pytest

from strongroom_service.bootstrap.host_clock import (
    CLOCK_ANCHOR,
    clock_check,
    discipline_of,
    drop_anchor,
    inherited_anchor,
    read_discipline,
    running_time,
    steady_clock,
)
from strongroom_service.config.vault_file import ClockRules
from strongroom_service.domain.clock import Discipline, Millis
from strongroom_service.domain.errors import ClockUntrusted, Misconfigured, Reason
from strongroom_service.domain.steady_clock import ClockAnchor
from tests.fakes.log import RecordingLog

TIME_OK, TIME_ERROR = 0, 5
STA_PLL, STA_UNSYNC = 0x0001, 0x0040
UNSYNCHRONISED = Discipline(synchronised=False, max_error=Millis(16_000))


def test_anchor_is_where_both_clocks_stand() -> None:
    anchor = drop_anchor()
    assert abs(anchor.wall - time.time() * 1_000) < 5_000
    assert abs(anchor.expected(running_time()) - time.time() * 1_000) < 5_000


def test_anchor_of_the_parent_is_taken() -> None:
    anchor = ClockAnchor(wall=Millis(1_800_000_000_000), running=Millis(12))
    assert inherited_anchor({CLOCK_ANCHOR: anchor.text()}) == anchor


def test_process_without_such_a_parent_drops_its_own() -> None:
    before = running_time()
    assert before <= inherited_anchor({}).running <= running_time()


def test_anchor_that_is_none_is_named() -> None:
    with pytest.raises(Misconfigured, match=CLOCK_ANCHOR):
        inherited_anchor({CLOCK_ANCHOR: "yesterday"})


def test_clock_that_is_held_is_logged_once_with_the_remedy() -> None:
    long_ago = ClockAnchor(wall=Millis(0), running=running_time())  # as if set forward by half a century
    log = RecordingLog()
    clock = steady_clock(long_ago, ClockRules(), log=log)
    assert 60_000 <= clock.now() <= clock.now() < 90_000
    [(event, fields)] = log.lines
    assert event == "clock_held"
    assert "restart" in str(fields["mend"])


@pytest.mark.parametrize(
    ("state", "status", "synchronised"),
    [
        (TIME_OK, STA_PLL, True),
        (TIME_OK, 0, True),
        (TIME_ERROR, STA_PLL, False),
        (TIME_OK, STA_PLL | STA_UNSYNC, False),
        (TIME_ERROR, STA_UNSYNC, False),
    ],
)
def test_kernel_says_whether_its_clock_is_kept_right(state: int, status: int, *, synchronised: bool) -> None:
    found = discipline_of(state, status=status, max_error_us=250_999)
    assert found == Discipline(synchronised=synchronised, max_error=Millis(250))


def test_kernel_of_this_host_can_be_asked() -> None:
    # Whether it is synchronised is this host's affair: without a time server the kernel gives 16 s as the error.
    found = read_discipline()
    assert 0 <= found.max_error <= 16_000 or not found.synchronised


def test_clock_is_not_asked_after_unless_the_configuration_demands_it() -> None:
    clock_check(ClockRules(), read=lambda: UNSYNCHRONISED)()
    demanded = clock_check(ClockRules(require_synchronised=True), read=lambda: UNSYNCHRONISED)
    with pytest.raises(ClockUntrusted) as caught:
        demanded()
    assert caught.value.reason is Reason.UNAVAILABLE


def test_error_larger_than_the_tolerance_counts_as_unsynchronised() -> None:
    rules = ClockRules(require_synchronised=True, tolerance_seconds=2)
    clock_check(rules, read=lambda: Discipline(synchronised=True, max_error=Millis(2_000)))()
    with pytest.raises(ClockUntrusted):
        clock_check(rules, read=lambda: Discipline(synchronised=True, max_error=Millis(2_001)))()
