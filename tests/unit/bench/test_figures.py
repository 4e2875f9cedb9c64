"""Figures from measurements of every other bench."""

from __future__ import annotations

import json

import pytest

from tests.bench.growth import growth_figures
from tests.bench.memory import memory_figures
from tests.bench.peers import COMPARED_CLIENTS, peer_figures
from tests.bench.report import Point, database_figures, half_load_figures
from tests.bench.slow_flushes import SlowFlushes, slow_flush_figures


def point(*, front: float = 0.1, keepers: float = 0.0, database: float = 0.0, count: int = 100) -> Point:
    return Point(
        clients=COMPARED_CLIENTS,
        seconds=2.0,
        latencies=(0.01,) * count,
        front_seconds=front,
        keeper_seconds=keepers,
        database_seconds=database,
    )


ECHO, RELEASE = point(front=0.05), point(front=0.06, keepers=0.04, database=0.02)


def test_a_database_of_its_own_counts_beside_the_service() -> None:
    figures = database_figures([(ECHO, RELEASE), (ECHO, RELEASE)], prefix="postgres_")
    assert figures["postgres_cpu_ratio"] == 2.0
    assert figures["postgres_cpu_ratio_with_server"] == 2.4
    assert figures["postgres_server_cpu_us_per_release"] == 200.0
    assert figures["postgres_releases_per_second"] == 50.0


def test_figures_of_growth_are_of_all_rounds() -> None:
    figures = growth_figures([(ECHO, RELEASE), (ECHO, RELEASE)])
    assert (figures["cpu_ratio"], figures["server_cpu_us_per_release"], figures["p99_ms"]) == (2.0, 200.0, 10.0)


def test_half_load_is_told_by_its_tail() -> None:
    half = Point(clients=16, seconds=1.0, latencies=(0.01,) * 98 + (0.04,) * 2, front_seconds=0.1, keeper_seconds=0.1)
    figures = half_load_figures(half, prefix="postgres_")
    assert figures["postgres_half_load_p99_to_p50"] == 4.0
    assert figures["postgres_half_load_releases_per_second"] == 100.0


def test_slow_flushes_are_told_by_what_is_left_of_the_throughput() -> None:
    figures = slow_flush_figures(SlowFlushes(without=point(count=200), slowed=point(count=150)), prefix="")
    assert figures["slow_flush_throughput_ratio"] == 0.75


def test_growth_of_memory_is_from_the_first_part_to_the_last() -> None:
    figures = memory_figures([(50.0, 80.0), (51.0, 90.0), (52.0, 84.0)])
    assert (figures["front_growth"], figures["keepers_growth"]) == (0.04, 0.05)
    assert figures["keepers_mib"] == [80.0, 90.0, 84.0]


def test_the_quotient_is_of_cpu_time_under_the_compared_number_of_clients() -> None:
    steps, release = point(front=0.05), point(front=0.06, keepers=0.04)
    figures = peer_figures(
        {1: [(steps, release)], COMPARED_CLIENTS: [(steps, release), (release, steps), (steps, release)]}
    )
    assert figures["cpu_us_per_release"] == pytest.approx(833.3)
    assert figures["cpu_us_per_three_steps"] == pytest.approx(666.7)
    assert figures["cpu_vs_openbao"] == 1.25
    assert figures["cpu_vs_openbao_of_each_round"] == [2.0, 0.5, 2.0]
    assert (figures["openbao_cpu_us_at_1"], figures["strongroom_cpu_us_at_1"]) == (500.0, 1000.0)
    assert not any(isinstance(value, dict) for value in json.loads(json.dumps(figures)).values())
