"""Draws throughput and latency against clients, from what the bench beside OpenBao has written.

.venv-peers/bin/python -m tests.bench.plot build/bench-peers.json docs/capacity-clients.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import matplotlib as mpl  # type: ignore[import-not-found]  # it lives in .venv-peers
import matplotlib.pyplot as plt  # type: ignore[import-not-found]  # as above

NAMES: Final = {"strongroom": "Strongroom: release", "openbao": "OpenBao: KV read, KV write, decrypt"}
COLOURS: Final = {"strongroom": "#1f4e79", "openbao": "#c0504d"}


def main(source: str, target: str) -> None:
    """Draw."""
    figures = json.loads(Path(source).read_text(encoding="utf-8"))
    clients = figures["clients"]
    mpl.use("Agg")
    drawing, (throughput, latency) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for peer, label in NAMES.items():
        per_second, p50, p99 = (
            [figures[f"{peer}_{name}_at_{each}"] for each in clients] for name in ("per_second", "p50_ms", "p99_ms")
        )
        throughput.plot(clients, per_second, marker="o", color=COLOURS[peer], label=label)
        latency.plot(clients, p50, marker="o", color=COLOURS[peer], label=f"{label}, median")
        latency.plot(clients, p99, marker="x", linestyle=":", color=COLOURS[peer], label=f"{label}, 99 %")
    for axes, title in ((throughput, "completed per second"), (latency, "milliseconds")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(clients, [str(each) for each in clients])
        axes.set_xlabel("clients")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    throughput.set_ylim(bottom=0)
    latency.set_yscale("log")
    # Without the date, so that the same figures make the same file.
    drawing.savefig(target, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
