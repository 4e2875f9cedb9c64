from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.floods import Floods, Kind, flood_figures, print_floods
from tests.bench.report import Point

ECHO = Point(clients=1, seconds=2.0, latencies=(0.001,) * 8_000, front_seconds=1.6, keeper_seconds=0.0)
REFUSED = replace(ECHO, latencies=(0.001,) * 6_000, front_seconds=1.8)
GOOD = replace(ECHO, latencies=(0.020,) * 100)
KIND = Kind(
    echo=ECHO,
    refused=REFUSED,
    good=replace(GOOD, latencies=(0.050,) * 100),
    good_paced=replace(GOOD, latencies=(0.030,) * 100),
)
FLOODS = Floods(good=GOOD, limited=KIND, stranger=replace(KIND, refused=replace(REFUSED, front_seconds=3.6)))


def test_refusals_are_compared_with_bare_calls_and_good_callers_with_themselves() -> None:
    figures = flood_figures(FLOODS)
    assert (figures["rejections_per_second"], figures["bare_echo_calls_per_second"]) == (3_000.0, 4_000.0)
    assert figures["rejections_to_echo_calls"] == 0.75
    assert (figures["rejection_cpu_us"], figures["bare_echo_cpu_us_per_call"]) == (300.0, 200.0)
    assert (figures["rejection_cpu_ratio"], figures["stranger_rejection_cpu_ratio"]) == (1.5, 3.0)
    assert figures["good_p99_ms_without_flood"] == 20.0
    assert (figures["good_p99_ratio_in_flood"], figures["good_p99_ratio_in_paced_flood"]) == (2.5, 1.5)


def test_both_kinds_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_floods(flood_figures(FLOODS))
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert "rejections_per_second" in names
    assert "stranger_rejections_per_second" in names
