from __future__ import annotations

import re

import pytest

from tests.bench.capacity import AT_SIZES, BENCH, GROWTH, MEMORY, PAGE, PEERS, filled, measured_rows, table_of
from tests.bench.capacity_plan import plan_of, plan_rows

SIZES = [1_000, 100_000]
GROWN = {
    "records": SIZES,
    **{f"{name}_at_{size}": 2.0 for _, name in AT_SIZES for size in SIZES},
    "postgres_front_cpu_us_per_release_at_100000": 500.0,
    "postgres_keeper_cpu_us_per_release_at_100000": 500.0,
    "postgres_server_cpu_us_per_release_at_100000": 100.0,
    "postgres_log_bytes_per_release_at_100000": 10_000,
    "sqlite_record_bytes_on_disk": 2_500,
    "sqlite_event_bytes_on_disk": 2_600,
    "postgres_record_bytes_on_disk": 3_000,
    "postgres_event_bytes_on_disk": 3_200,
}
CHECKED = {"releases": 100, "checkpoint_us_per_record": 216.0, "front_growth": 0.012, "keepers_growth": 0.3}


def named(templates: object) -> dict[str, float]:
    return dict.fromkeys(re.findall(r"{(\w+)", str(templates)), 1.0)


def rows() -> list[tuple[str, str, str]]:
    return list(measured_rows({**named(BENCH)}, {**named(GROWTH), **GROWN}, {**named(MEMORY), **CHECKED}, named(PEERS)))


def test_each_figure_says_which_command_made_it() -> None:
    commands = {command for _, _, command in rows()}
    assert commands == {"`make bench`", "`make bench-growth`", "`make bench-memory`", "`make bench-peers`"}
    assert ("bytes on disk of an event", "2,600 / 3,200", "`make bench-growth`") in rows()
    assert any("1,000 / 100,000 records" in what for what, _, _ in rows())
    assert any(figure == "+1.2% / +30.0%" for _, figure, _ in rows())


def test_three_billion_accounts_follow_from_what_one_takes() -> None:
    plan = plan_of({"token_calls_per_release": 5.0}, GROWN, CHECKED)
    assert plan.attempts_per_second == pytest.approx(142.6, abs=0.1)
    assert plan.peak == pytest.approx(5 * plan.attempts_per_second)
    assert (plan.replicas, plan.replicas_in_abuse) == (1, 8)
    assert plan.service_cores == 2
    assert plan.accounts_per_cluster == 100_000_000
    assert plan.clusters == plan.database_cores == 30
    assert plan.rows_tebibytes == pytest.approx(8.19, abs=0.01)
    assert plan.events_tebibytes == pytest.approx(30.56, abs=0.01)
    assert plan.token_calls_at_peak == pytest.approx(3_565, abs=1)
    assert plan.tokens == 4
    assert ("cores of the service at peak", 2) in [row[:2] for row in plan_rows(plan)]


def test_more_accounts_than_can_be_restored_are_in_no_cluster() -> None:
    plan = plan_of({"token_calls_per_release": 5.0}, GROWN, {**CHECKED, "checkpoint_us_per_record": 1.0})
    assert plan.accounts_per_cluster == 190_000_000
    assert plan.clusters == 16


def test_only_what_is_between_the_marks_is_written() -> None:
    page = "before\n<!-- one -->\nold\n<!-- /one -->\nafter\n"
    table = table_of(("a", "b"), [(1, "x")])
    assert (
        filled(page, {"one": table})
        == "before\n<!-- one -->\n| a | b |\n| --- | --- |\n| 1 | x |\n<!-- /one -->\nafter\n"
    )
    assert filled(filled(page, {"one": table}), {"one": "old\n"}) == page
    with pytest.raises(LookupError):
        filled(page, {"two": table})


def test_the_page_has_a_place_for_each_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, {"measured": "", "plan": ""}) != filled(page, {"measured": "x\n", "plan": "y\n"})
