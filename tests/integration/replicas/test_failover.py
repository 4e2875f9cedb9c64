"""The primary of three PostgreSQL nodes dies under a storm; `make ha` has the larger cluster and the other faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.ha.promotions import CONTROLS, QUORUM, Promotion, run_promotion


def test_nothing_acknowledged_is_lost_when_the_primary_dies_and_the_standby_that_has_most_is_promoted(
    tmp_path: Path,
) -> None:
    entry = run_promotion(replace(QUORUM, replicas=2, acknowledged=150), folder=tmp_path)
    assert {name: entry[name] for name in ("acknowledged_lost", "budget_exceeded", "double_release", "otherwise")} == {
        "acknowledged_lost": 0,
        "budget_exceeded": 0,
        "double_release": 0,
        "otherwise": 0,
    }, entry
    assert entry["released_without_commit"] == 0
    assert int(str(entry["acknowledged"])) >= 150


@pytest.mark.verify
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_control_loses_what_was_acknowledged(tmp_path: Path, control: Promotion) -> None:
    entry = run_promotion(control, folder=tmp_path)
    assert int(str(entry["acknowledged_lost"])) > 0, entry
