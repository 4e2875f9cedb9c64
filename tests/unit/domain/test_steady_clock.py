"""A clock that is set does not set ours: what passes since the anchor counts, give or take the tolerance."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.clock import Discipline, Millis
from strongroom_service.domain.errors import ClockUntrusted
from strongroom_service.domain.steady_clock import ClockAnchor, SteadyClock, check_synchronised
from tests.fakes.clock import SECOND, START

MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
TOLERANCE = Millis(MINUTE)
BOOTED = Millis(5 * DAY)


@dataclass
class Host:
    """A host whose clock can be set; what the steady clock told of it is kept."""

    wall: int = START
    running: int = BOOTED
    told: list[int] = field(default_factory=list)

    def start(self, anchor: ClockAnchor | None = None) -> SteadyClock:
        """A process of this host: the first drops the anchor, others are given it."""
        return SteadyClock(
            anchor=anchor or self.anchor(),
            tolerance=TOLERANCE,
            wall=lambda: Millis(self.wall),
            running=lambda: Millis(self.running),
            tell=self.told.append,
        )

    def anchor(self) -> ClockAnchor:
        return ClockAnchor(wall=Millis(self.wall), running=Millis(self.running))

    def wait(self, passed: int) -> None:
        self.wall += passed
        self.running += passed


def test_clock_that_nobody_sets_is_followed_to_the_millisecond() -> None:
    host = Host()
    clock = host.start()
    for passed in (0, 1, 999, DAY, 400 * DAY):
        host.wait(passed)
        assert clock.now() == host.wall
    assert (host.told, clock.beyond()) == ([], 0)


@pytest.mark.parametrize("step", [MINUTE, -MINUTE, 1, -1])
def test_step_within_the_tolerance_is_followed_and_not_told(step: int) -> None:
    host = Host()
    clock = host.start()
    host.wall += step
    host.wait(2 * MINUTE)
    assert clock.now() == host.wall
    assert (host.told, clock.beyond()) == ([], 0)


@pytest.mark.parametrize("step", [MINUTE + 1, DAY, 3_650 * DAY])
def test_clock_set_forward_gains_the_tolerance_and_no_more(step: int) -> None:
    host = Host()
    clock = host.start()
    host.wall += step
    assert clock.now() == START + TOLERANCE
    host.wait(DAY)
    assert clock.now() == START + DAY + TOLERANCE
    assert (host.told, clock.beyond()) == ([step - TOLERANCE], step - TOLERANCE)


@pytest.mark.parametrize("step", [MINUTE + 1, DAY, 365 * DAY])
def test_clock_set_back_stands_still_for_the_tolerance_and_loses_no_more(step: int) -> None:
    host = Host()
    clock = host.start()
    assert clock.now() == START
    host.wall -= step
    assert clock.now() == START
    host.wait(MINUTE)
    assert clock.now() == START
    host.wait(DAY)
    assert clock.now() == START + DAY
    assert host.told == [TOLERANCE - step]


def test_several_steps_gain_the_tolerance_once() -> None:
    host = Host()
    clock = host.start()
    for _ in range(10):
        host.wall += MINUTE
    assert clock.now() == START + TOLERANCE


def test_each_change_is_told_once_and_so_is_its_end() -> None:
    host = Host()
    clock = host.start()
    for step in (0, DAY, 0, -2 * DAY, 0, DAY, 0):
        host.wall += step
        clock.now()
    assert host.told == [DAY - TOLERANCE, TOLERANCE - DAY, 0]


def test_process_that_is_started_later_goes_by_the_anchor_it_is_given() -> None:
    host = Host()
    anchor = host.anchor()
    host.wait(DAY)
    host.wall += 30 * DAY
    assert host.start(ClockAnchor.parse(anchor.text())).now() == START + DAY + TOLERANCE
    assert host.start().now() == START + 31 * DAY  # a control: one that drops its own believes the clock


@given(st.lists(st.tuples(st.integers(-DAY, DAY), st.integers(0, DAY)), max_size=20))
def test_whatever_is_done_to_the_clock_it_never_goes_back_and_stays_within_the_tolerance(
    steps: list[tuple[int, int]],
) -> None:
    host = Host()
    clock = host.start()
    before, passed_since = clock.now(), 0
    for step, passed in steps:
        host.wall += step
        host.wait(passed)
        passed_since += passed
        now = clock.now()
        assert now >= before
        assert abs(now - START - passed_since) <= TOLERANCE
        before = now


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "1:2:3", "-1:2", "1.5:2", "one:two", "²:1"])
def test_text_that_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ClockAnchor.parse(text)


def test_synchronised_clock_with_a_small_error_may_be_judged_by() -> None:
    check_synchronised(Discipline(synchronised=True, max_error=TOLERANCE), tolerance=TOLERANCE)


@pytest.mark.parametrize(
    ("discipline", "why"),
    [
        (Discipline(synchronised=False, max_error=Millis(0)), "not synchronised"),
        (Discipline(synchronised=True, max_error=Millis(TOLERANCE + 1)), "wrong by 60001 ms"),
    ],
)
def test_clock_that_is_not_kept_right_may_not_be_judged_by(discipline: Discipline, why: str) -> None:
    with pytest.raises(ClockUntrusted, match=why):
        check_synchronised(discipline, tolerance=TOLERANCE)
