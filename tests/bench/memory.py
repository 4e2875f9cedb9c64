"""Whether memory grows with the accounts that were served; and what a checkpoint of them takes.

    python -m tests.bench.memory [--releases 100000]

Writes build/bench-memory.json. Releases as fast as they come, each for another account, and looks at front and keepers
after each tenth of them. Rates are counted in windows of a second: what a front remembers of longer ones follows the
pace of calls, and that differs from run to run. Then a checkpoint, which opens every record. Six minutes at 400
releases a second.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from tests.bench.growth import EXAMPLES, GrowingVault
from tests.bench.running import started
from tests.bench.served import SHAPE, Pids, ServedVault

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "bench-memory.json"
RELEASES: Final = 100_000
CLIENTS: Final = 16
CHECKPOINT_SECONDS: Final = 600.0
_SECONDS_WINDOWS: Final = {"begin": ["1000000/s"], "complete": ["1000000/s"]}
SHAPE_OF_MEMORY: Final = replace(SHAPE, rates={**SHAPE.rates, "account": _SECONDS_WINDOWS, "tenant": _SECONDS_WINDOWS})
_MEBIBYTE: Final = 1 << 20
# The samples on the way say where growth ends, if it does.
_STEPS: Final = 10


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Whether memory grows with the accounts that were served.")
    parser.add_argument("--releases", type=int, default=RELEASES)
    releases = parser.parse_args().releases
    step, samples = releases // _STEPS, []
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
        started(ServedVault.on_sqlite(Path(name) / "vault", shape=SHAPE_OF_MEMORY), accounts=EXAMPLES) as bench,
    ):
        GrowingVault(bench).grow(releases + EXAMPLES, used=releases)
        load_average, began = os.getloadavg()[0], time.monotonic()
        for first in range(0, releases, step):
            address = bench.served.vault.address
            done = bench.fleet.walk(address=address, clients=CLIENTS, first=first, last=first + step)
            samples.append(_memory(bench.pids))
            print(
                f"{first + done:>7} releases: front {samples[-1][0]:.1f}, keepers {samples[-1][1]:.1f} MiB", flush=True
            )
        seconds, began = time.monotonic() - began, time.monotonic()
        bench.served.vault.run_command("checkpoint", "make", patience_seconds=CHECKPOINT_SECONDS)
        checkpoint_seconds = time.monotonic() - began
    figures = {
        "releases": releases,
        "accounts": releases,
        "releases_per_second": round(releases / seconds, 1),
        **memory_figures(samples),
        "checkpoint_us_per_record": round(checkpoint_seconds * 1e6 / releases, 1),
        "load_average_before": round(load_average, 2),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def memory_figures(samples: list[tuple[float, float]]) -> dict[str, object]:
    """Return what front and keepers take after the first and after the last part, from MiB after each."""
    figures: dict[str, object] = {}
    for name, series in zip(("front", "keepers"), zip(*samples, strict=True), strict=True):
        figures[f"{name}_mib"] = [round(each, 2) for each in series]
        figures[f"{name}_growth"] = round(series[-1] / series[0] - 1, 4)
    return figures


def _memory(pids: Pids) -> tuple[float, float]:
    return _mebibytes(pids.front), sum(_mebibytes(pid) for pid in pids.keepers)


def _mebibytes(pid: int) -> float:
    """Return what the process takes, shared pages by its share (PSS); only root may look at a hardened process."""
    taken: int = psutil.Process(pid).memory_full_info().pss
    return taken / _MEBIBYTE


if __name__ == "__main__":
    main()
