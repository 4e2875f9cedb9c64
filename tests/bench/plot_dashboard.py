"""Draws the dashboard's main panels, from what a real Prometheus told its test about a service under load.

.venv-peers/bin/python -m tests.bench.plot_dashboard build/dashboard.json docs/dashboard.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import matplotlib as mpl  # type: ignore[import-not-found]  # it lives in .venv-peers
import matplotlib.pyplot as plt  # type: ignore[import-not-found]  # as above

PANELS: Final = (
    "Calls by code",
    "Latency by method, 99th percentile",
    "Attempts by outcome",
    "Token operations",
    "Keeper restarts, 15 min",
    "Commit, 99th percentile",
)


def main(source: str, target: str) -> None:
    """Draw."""
    panels = json.loads(Path(source).read_text(encoding="utf-8"))
    begin = min(series["values"][0][0] for title in PANELS for series in panels[title])
    mpl.use("Agg")
    drawing, grid = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
    for axes, title in zip(grid.flat, PANELS, strict=True):
        for series in panels[title]:
            values = [float(value) for _, value in series["values"]]
            if not any(value > 0 for value in values):  # NaN too: a method that nobody called
                continue
            label = ", ".join(value for name, value in series["metric"].items() if name != "instance")
            axes.plot([at - begin for at, _ in series["values"]], values, label=label)
            if label:
                axes.legend(fontsize=6)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("seconds", fontsize=7)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    drawing.savefig(target, dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
