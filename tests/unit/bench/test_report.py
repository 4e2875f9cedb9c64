from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.bench.account import Exchange
from tests.bench.archives import ArchiveSpeeds
from tests.bench.report import Measured, Point, figures_of, print_table

ECHO = Point(clients=16, seconds=2.0, latencies=(0.01,) * 400, front_seconds=0.08, keeper_seconds=0.0)
RELEASE = Point(clients=16, seconds=2.0, latencies=(0.02,) * 100, front_seconds=0.04, keeper_seconds=0.03)
SPEEDS = ArchiveSpeeds(
    content_mib=124.0, archive_mib=90.0, backup=100.0, restore=90.0, age_encrypt=300.0, age_decrypt=280.0
)
MEASURED = Measured(
    echo=Point.joined([ECHO, ECHO]),
    compared=Point.joined([RELEASE, RELEASE]),
    rounds=[(ECHO, RELEASE), (ECHO, RELEASE)],
    others=[replace(RELEASE, clients=1), replace(RELEASE, clients=64)],
    archives=SPEEDS,
    exchange=Exchange(begin_request=b"1", begin_response=b"22", release_request=b"333", release_response=b"4444"),
    accounts=1_024,
    keepers=2,
    load_average_before=0.5,
    took_seconds=100.0,
)


def test_ratios_compare_cost_and_throughput_under_the_same_number_of_clients() -> None:
    figures = figures_of(MEASURED)
    assert figures["bare_echo_pairs_per_second"] == 200.0
    assert figures["bare_echo_cpu_us_per_pair"] == 200.0
    assert figures["releases_per_second"] == figures["releases_per_second_at_16"] == 50.0
    assert (figures["front_cpu_us_per_release"], figures["keeper_cpu_us_per_release"]) == (400.0, 300.0)
    assert figures["cpu_ratio"] == 3.5
    assert figures["cpu_ratio_of_each_round"] == [3.5, 3.5]
    assert figures["ratio"] == 0.25


def test_every_point_has_its_figures_and_all_are_flat() -> None:
    figures = figures_of(MEASURED)
    for clients in (1, 16, 64):
        for name in ("releases_per_second", "p50_ms", "p99_ms", "front_cpu_us", "keeper_cpu_us", "releases", "seconds"):
            assert f"{name}_at_{clients}" in figures
    assert not any(isinstance(value, dict) for value in json.loads(json.dumps(figures)).values())


def test_percentiles_are_of_all_latencies() -> None:
    point = replace(RELEASE, latencies=tuple(number / 1_000 for number in range(100, 0, -1)))
    assert (point.percentile_ms(50), point.percentile_ms(99), point.percentile_ms(100)) == (50.0, 99.0, 100.0)
    assert replace(point, latencies=(0.007,)).percentile_ms(99) == 7.0


def test_spans_under_one_load_are_summed() -> None:
    joined = Point.joined([RELEASE, replace(RELEASE, latencies=(0.04,) * 300)])
    assert (joined.count, joined.seconds, joined.per_second) == (400, 4.0, 100.0)


def test_the_table_shows_each_point(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(figures_of(MEASURED))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["clients", "1", "16", "64"]
