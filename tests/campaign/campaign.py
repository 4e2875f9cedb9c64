"""Strikes the running service in every way that it must survive, under load, and writes build/faults.json.

    python -m tests.campaign.campaign [--kinds NAME,...] [--scale FACTOR] [--lanes N]

Each kind of fault (`tests/campaign/kinds.py`) has a vault of its own, with a real token, the real store and real
processes under clients that make good and bad attempts over TLS. What these were told is held against their accounts'
histories, the database and the keepers' log; the controls are services broken on purpose, in which the same checker
must see something. docs/operations.md says how to read the result.

The service differs from a production one in two things: its parent waits a tenth of a second, not longer and longer,
before it replaces a child that died young; and its front can be met at a step of a completion.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

from tests.campaign.controls import CONTROLS
from tests.campaign.kinds import KINDS, Kind
from tests.campaign.load import LoadShape
from tests.campaign.run import Entry, run_kind

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "faults.json"
HISTORIES: Final = ROOT / "build" / "faults"
PROMISES: Final = ("acknowledged_lost", "budget_exceeded", "released_without_commit")
LEAST_OF_A_KIND: Final = 20
LEAST_OF_ALL: Final = 1_000
CONTROL_LOAD: Final = LoadShape(honest=4, hostile=4, library=0)
_SEED: Final = 1
_BY_NAME: Final = {kind.name: kind for kind in (*KINDS, *CONTROLS)}


def run_named(name: str, injections: int) -> Entry:
    """Run one kind or control, in whatever process."""
    shape = CONTROL_LOAD if _BY_NAME[name] in CONTROLS else LoadShape()
    return run_kind(_BY_NAME[name], injections=injections, seed=_SEED, folder=HISTORIES, shape=shape)


def shortcomings(
    faults: Sequence[Mapping[str, Any]], controls: Sequence[Mapping[str, Any]], *, whole: bool
) -> list[str]:
    """Return why a campaign must not pass, a line each; one that is not `whole` may be as short as it likes."""
    found = [
        f"{entry['kind']}: {name} is {entry[name]}"
        for entry in faults
        for name in (*PROMISES, "otherwise")
        if entry[name]
    ]
    found += [
        f"{entry['kind']}: nothing was {name}"
        for entry in faults
        for name in ("in_flight", "acknowledged")
        if not entry[name]
    ]
    found += [f"no control shows {name}" for name in PROMISES if not any(entry[name] for entry in controls)]
    if whole:
        found += [
            f"{entry['kind']}: only {entry['injected']}" for entry in faults if entry["injected"] < LEAST_OF_A_KIND
        ]
        if sum(entry["injected"] for entry in faults) < LEAST_OF_ALL:
            found.append(f"fewer than {LEAST_OF_ALL} injections in all")
    return found


def main() -> int:
    """Run what is asked for; 1 if a promise was broken, a kind could not be run, or the checker is blind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kinds", default="", help="comma-separated; default: every one")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of injections (default 1)")
    parser.add_argument("--lanes", type=int, default=2, help="kinds at once (default 2)")
    options = parser.parse_args()
    wanted = [kind for kind in KINDS if not options.kinds or kind.name in options.kinds.split(",")]
    if unknown := set(filter(None, options.kinds.split(","))) - {kind.name for kind in wanted}:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    shutil.rmtree(HISTORIES, ignore_errors=True)
    HISTORIES.mkdir(parents=True)
    began_at = time.monotonic()
    entries, failed = _run_all([*wanted, *CONTROLS], scale=options.scale, lanes=options.lanes)
    faults = [entries[kind.name] for kind in wanted if kind.name in entries]
    controls = [entries[kind.name] for kind in CONTROLS if kind.name in entries]
    whole = not options.kinds and options.scale >= 1
    found = [*failed, *shortcomings(faults, controls, whole=whole)]
    injected = sum(entry["injected"] for entry in faults)
    took = round(time.monotonic() - began_at, 1)
    report = {"faults": faults, "controls": controls, "injected": injected, "took_seconds": took, "shortcomings": found}
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{injected} injections of {len(faults)} kinds in {took} s: {RESULT.relative_to(ROOT)}")
    for line in found:
        print(f"NOT AS PROMISED  {line}")
    return int(bool(found))


def _run_all(kinds: Sequence[Kind], *, scale: float, lanes: int) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the entries by name, and a line for each kind that could not be run to its end."""
    entries: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    # Processes of their own: clients of one lane do not wait for those of another, and gRPC does not like forks.
    with ProcessPoolExecutor(lanes, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: dict[Future[Entry], str] = {}
        for kind in kinds:
            injections = kind.injections if kind in CONTROLS else math.ceil(kind.injections * scale)
            running[pool.submit(run_named, kind.name, injections)] = kind.name
        for done in as_completed(running):
            name = running[done]
            if error := done.exception():
                failed.append(f"{name}: {type(error).__name__}: {error}")
                print(f"{name:<26} FAILED {type(error).__name__}: {error}", flush=True)
                continue
            entries[name] = dict(done.result())
            _print(entries[name])
    return entries, failed


def _print(entry: Mapping[str, Any]) -> None:
    counts = "  ".join(f"{name} {entry[name]}" for name in (*PROMISES, "otherwise"))
    recovery = entry["seconds_to_recover"]
    print(
        f"{entry['kind']:<26} {entry['injected']:>4} injected, {entry['in_flight']:>5} in flight,"
        f" {entry['acknowledged']:>6} acknowledged, {entry['unknown']:>5} unknown: {counts};"
        f" back in {recovery['p50']} s, at most {recovery['max']} s ({entry['seconds']} s)",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
