"""Puts what the benches measured on this machine, and what follows for three billion accounts, into docs/capacity.md.

    python -m tests.bench.capacity

Reads build/bench.json, bench-growth.json, bench-memory.json and bench-peers.json; says which command makes one that is
missing. What stands between the marks in the page is written anew, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.capacity_plan import Figures, plan_of, plan_rows

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "capacity.md"
COMMANDS: Final = ("bench", "bench-growth", "bench-memory", "bench-peers")

BENCH: Final = (
    ("machine", "{cpu}, {cores} cores, the load generators on them too"),
    ("CPU of a release over that of a bare pair of calls: `cpu_ratio`", "{cpu_ratio}"),
    (
        "the same on PostgreSQL, its server not counted / counted",
        "{postgres_cpu_ratio} / {postgres_cpu_ratio_with_server}",
    ),
    ("CPU a release, us: front + keepers", "{front_cpu_us_per_release} + {keeper_cpu_us_per_release}"),
    (
        "the same on PostgreSQL",
        "{postgres_front_cpu_us_per_release} + {postgres_keeper_cpu_us_per_release}",
    ),
    ("of PostgreSQL's server", "{postgres_server_cpu_us_per_release}"),
    ("releases a second of 16 clients: SQLite / PostgreSQL", "{releases_per_second} / {postgres_releases_per_second}"),
    ("p50 ms at half of the most", "{half_load_p50_ms} / {postgres_half_load_p50_ms}"),
    ("p99 over p50 at half of the most", "{half_load_p99_to_p50} / {postgres_half_load_p99_to_p50}"),
    (
        "throughput left with 1 ms more for each flush",
        "{slow_flush_throughput_ratio:.0%} / {postgres_slow_flush_throughput_ratio:.0%}",
    ),
    ("calls of the token a release", "{token_calls_per_release}"),
)
GROWTH: Final = (
    (
        "bytes on disk of a record: SQLite / PostgreSQL",
        "{sqlite_record_bytes_on_disk:,} / {postgres_record_bytes_on_disk:,}",
    ),
    ("bytes on disk of an event", "{sqlite_event_bytes_on_disk:,} / {postgres_event_bytes_on_disk:,}"),
)
AT_SIZES: Final = (
    ("`cpu_ratio`, SQLite", "sqlite_cpu_ratio"),
    ("`cpu_ratio`, PostgreSQL", "postgres_cpu_ratio"),
    ("p50 ms, SQLite", "sqlite_p50_ms"),
    ("p50 ms, PostgreSQL", "postgres_p50_ms"),
    ("PostgreSQL's log a release, bytes", "postgres_log_bytes_per_release"),
)
MEMORY: Final = (
    ("a checkpoint, us for each record", "{checkpoint_us_per_record}"),
    (
        "memory after {releases:,} releases against a tenth of them: front / keepers",
        "{front_growth:+.1%} / {keepers_growth:+.1%}",
    ),
)
PEERS: Final = (
    (
        "CPU of a release over that of the three steps on OpenBao {openbao_version}, us",
        "{cpu_us_per_release} / {cpu_us_per_three_steps} = {cpu_vs_openbao}",
    ),
)


def measured_rows(bench: Figures, growth: Figures, memory: Figures, peers: Figures) -> Sequence[tuple[str, str, str]]:
    """Return what was measured: what, how much, by which command."""
    sizes = growth["records"]
    at_sizes = [
        (f"{what} with {_slashed(sizes)} records", _slashed(growth[f"{name}_at_{size}"] for size in sizes))
        for what, name in AT_SIZES
    ]
    told = zip(COMMANDS, (bench, growth, memory, peers), (BENCH, (*GROWTH, *at_sizes), MEMORY, PEERS), strict=True)
    return [
        (what.format_map(figures), figure.format_map(figures), f"`make {command}`")
        for command, figures, rows in told
        for what, figure in rows
    ]


def _slashed(values: Iterable[float]) -> str:
    return " / ".join(f"{value:,}" for value in values)


def filled(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with each table between its marks.

    Raises:
        LookupError: the page has no such marks.
    """
    for name, table in tables.items():
        before, begins, rest = page.partition(f"<!-- {name} -->\n")
        _, ends, after = rest.partition(f"<!-- /{name} -->")
        if not ends:
            raise LookupError(f"no marks {name}")
        page = f"{before}{begins}{table}{ends}{after}"
    return page


def table_of(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return lines of Markdown."""
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Fill the page."""
    figures: list[Figures] = []
    for command in COMMANDS:
        path = ROOT / "build" / f"{command}.json"
        if not path.is_file():
            raise SystemExit(f"build/{path.name} is missing: make {command}")
        figures.append(json.loads(path.read_text(encoding="utf-8")))
    bench, growth, memory, peers = figures
    tables = {
        "measured": table_of(("measured", "figure", "by"), measured_rows(bench, growth, memory, peers)),
        "plan": table_of(("for three billion accounts", "figure", "from"), plan_rows(plan_of(bench, growth, memory))),
    }
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} filled")


if __name__ == "__main__":
    main()
