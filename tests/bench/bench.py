"""Measures this machine, all in one run of about four minutes: prints a table, writes build/bench.json.

    python -m tests.bench.bench [--floods]     --floods: only floods of calls that are refused; writes nothing

What counts is `cpu_ratio`: CPU time of front and keepers per release over that of a bare gRPC server per pair of calls
of the same sizes, both under 16 clients and in turns, so that a host that is slow for a while slows both. Throughput
is for information: load generators and servers share the cores.

All of it is measured on SQLite; what depends on the database also on PostgreSQL, under names that begin so.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.archives import measure_archives
from tests.bench.floods import flood_figures, print_floods
from tests.bench.refusals import measure_refusals, print_refusals, refusal_figures
from tests.bench.report import (
    Measured,
    Point,
    database_figures,
    figures_of,
    half_load_figures,
    print_databases,
    print_table,
)
from tests.bench.running import Bench, started
from tests.bench.served import SHAPE, ServedVault
from tests.bench.slow_flushes import measure_slow_flushes, slow_flush_figures
from tests.bench.token_operations import count_token_operations

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "bench.json"
# Per keeper twice the rows that it remembers, so that each ceremony begins with one that must be opened, as in life.
ACCOUNTS: Final = 1_024
ACCOUNTS_OF_FLOODS: Final = 64
COMPARED_CLIENTS: Final = 16
OTHER_CLIENTS: Final = (1, 64)
SECONDS: Final = 5.0
ROUNDS: Final = 4
ROUND_SECONDS: Final = 2.0
HALF_LOAD_SECONDS: Final = 8.0


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description="Measures this machine.")
    parser.add_argument("--floods", action="store_true", help="only floods of calls that are refused")
    floods_alone = parser.parse_args().floods
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        if floods_alone:
            print(f"load average before: {os.getloadavg()[0]:.2f}")
            with started(ServedVault.on_sqlite(Path(name) / "vault"), accounts=ACCOUNTS_OF_FLOODS) as bench:
                print_floods(flood_figures(bench.floods()))
        else:
            _measure_all(Path(name))


def _measure_all(folder: Path) -> None:
    started_at, load_average = time.monotonic(), os.getloadavg()[0]
    with started(ServedVault.on_sqlite(folder / "vault"), accounts=ACCOUNTS) as bench:
        rounds = _rounds(bench)
        others = [bench.release(clients, SECONDS) for clients in OTHER_CLIENTS]
        half = _half_load(bench, [Point.joined([release for _, release in rounds]), *others])
        refusals = measure_refusals(bench.served.vault)  # before the floods, which leave this address no reads
        floods = bench.floods()
        slow = measure_slow_flushes(bench, clients=COMPARED_CLIENTS)
        exchange = bench.exchange
    with started(ServedVault.on_postgres(folder / "on-postgres"), accounts=ACCOUNTS) as bench:
        postgres_rounds = _rounds(bench)
        postgres_half = _half_load(bench, [release for _, release in postgres_rounds])
        postgres_slow = measure_slow_flushes(bench, clients=COMPARED_CLIENTS)
    token_operations = count_token_operations(folder / "counted")
    archives = measure_archives(folder)
    measured = Measured(
        echo=Point.joined([echo for echo, _ in rounds]),
        compared=Point.joined([release for _, release in rounds]),
        rounds=rounds,
        others=others,
        archives=archives,
        exchange=exchange,
        accounts=ACCOUNTS,
        keepers=SHAPE.keepers,
        load_average_before=load_average,
        took_seconds=time.monotonic() - started_at,
    )
    figures = {
        **figures_of(measured),
        **half_load_figures(half, prefix=""),
        **slow_flush_figures(slow, prefix=""),
        **database_figures(postgres_rounds, prefix="postgres_"),
        **half_load_figures(postgres_half, prefix="postgres_"),
        **slow_flush_figures(postgres_slow, prefix="postgres_"),
        **token_operations,
        **flood_figures(floods),
        **refusal_figures(refusals),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print_table(figures)
    for show in (print_databases, print_floods, print_refusals):
        print()
        show(figures)
    print(f"\nAll figures: {RESULT.relative_to(ROOT)}")


def _rounds(bench: Bench) -> list[tuple[Point, Point]]:
    return [
        (bench.echo(COMPARED_CLIENTS, ROUND_SECONDS), bench.release(COMPARED_CLIENTS, ROUND_SECONDS))
        for _ in range(ROUNDS)
    ]


def _half_load(bench: Bench, points: list[Point]) -> Point:
    """Measure under half of the most that `points` got done."""
    most = max(point.per_second for point in points)
    return bench.release(COMPARED_CLIENTS, HALF_LOAD_SECONDS, per_second=most / 2)


if __name__ == "__main__":
    main()
