"""A campaign passes only if every promise was kept, everything was struck often enough, and its checker can see."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.campaign.campaign import LEAST_OF_A_KIND, LEAST_OF_ALL, PROMISES, shortcomings
from tests.campaign.kinds import KINDS

GOOD: dict[str, Any] = {
    "kind": "some",
    "injected": 500,
    "in_flight": 1,
    "acknowledged": 1,
    "acknowledged_lost": 0,
    "budget_exceeded": 0,
    "released_without_commit": 0,
    "otherwise": 0,
}
SEEING: list[dict[str, Any]] = [{name: int(name == seen) for name in PROMISES} for seen in PROMISES]


def test_all_as_promised() -> None:
    assert shortcomings([GOOD, GOOD], SEEING, whole=True) == []


@pytest.mark.parametrize("name", [*PROMISES, "otherwise"])
def test_one_broken_promise_is_enough(name: str) -> None:
    assert shortcomings([GOOD, {**GOOD, name: 1}], SEEING, whole=True) == [f"some: {name} is 1"]


@pytest.mark.parametrize("name", ["in_flight", "acknowledged"])
def test_a_kind_that_struck_nobody_shows_nothing(name: str) -> None:
    assert shortcomings([GOOD, {**GOOD, name: 0}], SEEING, whole=True) == [f"some: nothing was {name}"]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_checker_that_sees_nothing_in_any_control_is_blind(promise: str) -> None:
    controls = [{**each, promise: 0} for each in SEEING]
    assert shortcomings([GOOD, GOOD], controls, whole=True) == [f"no control shows {promise}"]


def test_a_whole_campaign_strikes_often_enough() -> None:
    assert shortcomings([{**GOOD, "injected": 1_000}, {**GOOD, "injected": 19}], SEEING, whole=True) == [
        "some: only 19"
    ]
    assert shortcomings([GOOD], SEEING, whole=True) == ["fewer than 1000 injections in all"]
    assert shortcomings([{**GOOD, "injected": 1}], SEEING, whole=False) == []


def test_kinds_are_planned_to_be_enough_and_have_names_for_files() -> None:
    assert all(kind.injections >= LEAST_OF_A_KIND for kind in KINDS)
    assert sum(kind.injections for kind in KINDS) >= LEAST_OF_ALL
    assert all(re.fullmatch(r"[a-z_]+", kind.name) for kind in KINDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
