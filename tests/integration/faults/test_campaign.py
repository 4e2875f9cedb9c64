"""A slice of `make faults`: a few injections of some kinds, held against the record exactly; and its controls.

The whole campaign (tests/campaign) strikes a thousand times in twenty ways.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from tests.campaign.campaign import PROMISES
from tests.campaign.controls import CONTROLS
from tests.campaign.kinds import KINDS
from tests.campaign.load import LoadShape
from tests.campaign.run import run_kind

INJECTIONS: Final = {
    "sigkill_keepers_at_step": 2,
    "database_locked": 2,
    "token_error": 3,
    "clock_jump": 6,
}
LOAD: Final = LoadShape(workers=4, honest=4, hostile=3, library=1)
SEEN: Final = {
    "control_commits_late": ("acknowledged_lost", "released_without_commit"),
    "control_forgets_failures": ("acknowledged_lost", "budget_exceeded"),
}
BY_NAME: Final = {kind.name: kind for kind in (*KINDS, *CONTROLS)}


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_promise_is_broken_while_the_service_is_struck(name: str, tmp_path: Path) -> None:
    injections = INJECTIONS[name]
    entry: dict[str, Any] = run_kind(BY_NAME[name], injections=injections, seed=2, folder=tmp_path, shape=LOAD)
    assert {promise: entry[promise] for promise in PROMISES} == dict.fromkeys(PROMISES, 0), entry["why"]
    assert entry["otherwise"] == 0, entry["why"]
    assert entry["injected"] == injections
    assert entry["in_flight"] > 0
    assert entry["acknowledged"] > 0
    assert (tmp_path / f"{name}.jsonl").stat().st_size > 0


@pytest.mark.parametrize("name", SEEN)
def test_checker_sees_what_a_broken_service_breaks(name: str, tmp_path: Path) -> None:
    load = LoadShape(workers=4, honest=4, hostile=3, library=0)
    entry: dict[str, Any] = run_kind(BY_NAME[name], injections=2, seed=2, folder=tmp_path, shape=load)
    assert all(entry[promise] > 0 for promise in SEEN[name]), entry
