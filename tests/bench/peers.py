"""Beside OpenBao, in one run and in turns, on the same cores: writes build/bench-peers.json. Takes four minutes.

A release against the three steps that it contains: reading a value (version 1 of the KV engine, the cheaper), writing
it durably, decrypting an envelope (transit engine). OpenBao verifies no passkey, counts no attempt, keeps no event and
signs no receipt for it; its requests carry the root token, and no audit device is on. Only the servers' CPU time is
counted, not that of the load generators, which are the same two processes for both.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from strongroom_service.keeper.formats.sealing import PADDING_STEP_BYTES
from tests.bench.account import ENVELOPE_BYTES
from tests.bench.openbao import OpenBao, running_openbao
from tests.bench.report import Point
from tests.bench.running import Bench, started
from tests.bench.served import ServedVault

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "bench-peers.json"
CLIENTS: Final = (1, 2, 4, 8, 16, 32, 64)
COMPARED_CLIENTS: Final = 16
ACCOUNTS: Final = 1_024
ROUNDS: Final = 4
ROUND_SECONDS: Final = 3.0
RECORD_BYTES: Final = 2 * PADDING_STEP_BYTES
"""Of a record with one passkey and one envelope, as the keeper pads it."""

Pair = tuple[Point, Point]


def main() -> None:
    """Measure."""
    started_at, load_average = time.monotonic(), os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
        started(ServedVault.on_sqlite(Path(name) / "vault"), accounts=ACCOUNTS) as bench,
        running_openbao(
            Path(name) / "openbao",
            certificates=bench.served.vault.files.folder,
            record_bytes=RECORD_BYTES,
            envelope_bytes=ENVELOPE_BYTES,
        ) as openbao,
    ):
        rounds = {
            clients: [
                (_steps(bench, openbao, clients), bench.release(clients, ROUND_SECONDS))
                for _ in range(ROUNDS if clients == COMPARED_CLIENTS else 1)
            ]
            for clients in CLIENTS
        }
        version = openbao.version
    figures = {
        "openbao_version": version,
        **peer_figures(rounds),
        "record_bytes": RECORD_BYTES,
        "envelope_bytes": ENVELOPE_BYTES,
        "cores": os.cpu_count(),
        "load_average_before": round(load_average, 2),
        "took_seconds": round(time.monotonic() - started_at, 1),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def _steps(bench: Bench, openbao: OpenBao, clients: int) -> Point:
    sample = bench.fleet.measure_steps(openbao.prepared, clients=clients, seconds=ROUND_SECONDS, pids=[openbao.pid])
    return Point(
        clients=clients,
        seconds=sample.seconds,
        latencies=sample.latencies,
        front_seconds=sample.cpu[openbao.pid],
        keeper_seconds=0.0,
    )


def peer_figures(rounds: Mapping[int, Sequence[Pair]]) -> dict[str, object]:
    """Return every figure by its name, from pairs of (three steps, release) in turns by number of clients."""
    compared = [(steps.cpu_us, release.cpu_us) for steps, release in rounds[COMPARED_CLIENTS]]
    joined = {
        clients: (Point.joined([steps for steps, _ in pairs]), Point.joined([release for _, release in pairs]))
        for clients, pairs in rounds.items()
    }
    steps, release = joined[COMPARED_CLIENTS]
    return {
        "cpu_us_per_release": round(release.cpu_us, 1),
        "cpu_us_per_three_steps": round(steps.cpu_us, 1),
        "cpu_vs_openbao": round(release.cpu_us / steps.cpu_us, 2),
        "cpu_vs_openbao_of_each_round": [round(ours / theirs, 2) for theirs, ours in compared],
        "compared_clients": COMPARED_CLIENTS,
        "clients": list(joined),
        **{
            f"{name}_{figure}_at_{clients}": value
            for clients, points in joined.items()
            for name, point in zip(("openbao", "strongroom"), points, strict=True)
            for figure, value in _point_figures(point).items()
        },
    }


def _point_figures(point: Point) -> dict[str, float]:
    return {
        "per_second": round(point.per_second, 1),
        "p50_ms": round(point.percentile_ms(50), 2),
        "p99_ms": round(point.percentile_ms(99), 2),
        "cpu_us": round(point.cpu_us, 1),
    }


if __name__ == "__main__":
    main()
