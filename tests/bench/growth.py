"""What a release costs with few records and with many, on SQLite and on PostgreSQL; writes build/bench-growth.json.

    python -m tests.bench.growth [--records 1000,100000,2000000]

Ten minutes and 15 GB of disk with two million records. Releases are for up to `USED` accounts, met at random among all
others. The whole database fits into this machine's memory: what reading from a disk costs is not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import psycopg

from tests.bench.databases import database_of
from tests.bench.made import MadeAccounts
from tests.bench.made_records import Filling, fill
from tests.bench.report import Point
from tests.bench.running import Bench, started
from tests.bench.served import SHAPE, ServedVault

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "bench-growth.json"
RECORDS: Final = (1_000, 100_000, 2_000_000)
USED: Final = 8_192
CLIENTS: Final = 16
ROUNDS: Final = 3
ROUND_SECONDS: Final = 4.0
EXAMPLES: Final = 4
"""Enrolled by clients; the last one has released nothing, and is what records are made after."""


class GrowingVault:
    """A running vault whose database is given more and more records."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.made = MadeAccounts(seed=secrets.token_bytes(32), rp_id=SHAPE.rp_id, origin=SHAPE.origins[0])
        self._records = EXAMPLES
        self._used = 0

    def grow(self, records: int, *, used: int) -> None:
        """Have so many records in all, `used` of them of accounts that release from now on."""
        served = self.bench.served
        served.stop()
        fillers = records - self._records - (used - self._used)
        fill(
            Filling(
                config_file=served.vault.files.config_file,
                database=served.database,
                tenant=served.vault.tenant.name,
                example=f"account-{EXAMPLES - 1}",
                made=self.made,
                first=self._used,
                last=used,
                fillers=fillers,
            )
        )
        self._records, self._used = records, used
        self.bench.pids = served.serve()
        self.bench.fleet.adopt(
            authority_pem=served.vault.ca_file.read_bytes(),
            made=self.made,
            tokens=[served.vault.issue_token(self.made.name(number)) for number in range(used)],
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="What a release costs with few records and with many.")
    parser.add_argument("--records", default=",".join(map(str, RECORDS)), help="how many, rising, comma-separated")
    sizes = [int(each) for each in parser.parse_args().records.split(",")]
    started_at, load_average = time.monotonic(), os.getloadavg()[0]
    figures: dict[str, object] = {"records": sizes, "load_average_before": round(load_average, 2)}
    for kind, make in (("sqlite", ServedVault.on_sqlite), ("postgres", ServedVault.on_postgres)):
        with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
            measured = _measure(make(Path(name) / "vault"), sizes)
        figures |= {f"{kind}_{key}": value for key, value in measured.items()}
    figures["took_seconds"] = round(time.monotonic() - started_at, 1)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"All figures: {RESULT.relative_to(ROOT)}")


def _measure(vault: AbstractContextManager[ServedVault], sizes: list[int]) -> dict[str, object]:
    figures: dict[str, object] = {}
    with started(vault, accounts=EXAMPLES) as bench:
        growing = GrowingVault(bench)
        for size in sizes:
            began = time.monotonic()
            growing.grow(size, used=min(size - EXAMPLES, USED))
            print(f"{size} records: made in {time.monotonic() - began:.0f} s")
            sys.stdout.flush()
            before = _logged(bench.served)
            rounds = [
                (bench.echo(CLIENTS, ROUND_SECONDS), bench.release(CLIENTS, ROUND_SECONDS)) for _ in range(ROUNDS)
            ]
            at_size = {**growth_figures(rounds), **_log_figures(before, _logged(bench.served))}
            print("  ", at_size)
            figures |= {f"{name}_at_{size}": value for name, value in at_size.items()}
        bench.served.stop()
        with database_of(bench.served.database) as database:
            room = database.room()
        figures["record_bytes_on_disk"] = round(room.record_bytes / room.records)
        figures["event_bytes_on_disk"] = round(room.event_bytes / room.events)
    return figures


def growth_figures(rounds: list[tuple[Point, Point]]) -> dict[str, object]:
    """Return what releases cost at one size; `rounds` are pairs of (echo, release) in turns."""
    echo, release = (Point.joined([pair[index] for pair in rounds]) for index in (0, 1))
    return {
        "releases_per_second": round(release.per_second, 1),
        "p50_ms": round(release.percentile_ms(50), 2),
        "p99_ms": round(release.percentile_ms(99), 2),
        "front_cpu_us_per_release": round(release.front_us, 1),
        "keeper_cpu_us_per_release": round(release.keeper_us, 1),
        "server_cpu_us_per_release": round(release.database_us, 1),
        "cpu_ratio": round(release.cpu_us / echo.cpu_us, 2),
    }


def _logged(served: ServedVault) -> tuple[int, int] | None:
    """Return how many bytes of log PostgreSQL has written, and how many changes it has taken."""
    if served.server is None:
        return None
    with psycopg.connect(served.database) as connection:
        found = connection.execute(
            "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, (SELECT max(arrived) FROM feed_waiting)"
        ).fetchone()
    if found is None:
        raise LookupError("feed_waiting")
    log_bytes, changes = found
    return log_bytes, changes


def _log_figures(before: tuple[int, int] | None, after: tuple[int, int] | None) -> dict[str, object]:
    if before is None or after is None:
        return {}
    return {"log_bytes_per_release": round((after[0] - before[0]) / (after[1] - before[1]))}


if __name__ == "__main__":
    main()
