"""Failovers of a real cluster under a storm of good and bad attempts; writes build/ha.json. Needs root.

    python -m tests.ha.ha [--kinds NAME,...]

For each kind of fault three services on one cluster of three PostgreSQL hosts (Patroni, etcd, a quorum of standbys) are
loaded by real clients while the fault strikes and heals. Twenty seconds after the cluster is whole again the histories
of all clients are held against what the database, the accounts' own histories and the keepers' logs say: data was lost
by older Patroni only once a partition had healed. The controls are clusters that lose what was acknowledged, in which
the same checker must see it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.campaign import stages
from tests.campaign.checker import EXPECTED
from tests.campaign.history import Chronicle
from tests.campaign.load import Load, LoadShape
from tests.fixtures.replicas import SERVICE_ROLE, Replicas
from tests.ha.cluster import Cluster, execute
from tests.ha.faults import FAULTS, Fault
from tests.ha.promotions import CONTROLS, LIMITS, run_promotion
from tests.ha.verdict import Entry, entry_of

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "ha.json"
HISTORIES: Final = ROOT / "build" / "ha"
ZEROS: Final = ("acknowledged_lost", "budget_exceeded", "double_release", "released_without_commit", "otherwise")
LEAST_ACKNOWLEDGED: Final = 1_000
_HEALED_SECONDS: Final = 20.0
_MOST_SECONDS: Final = 180.0
_BEFORE: Final = 300
_SEED: Final = 11
_LOAD: Final = LoadShape(workers=6, honest=9, hostile=6, library=3)
_RULES: Final[dict[str, float | str]] = {"unverified_transport": True, "deadline_seconds": 3.0}


def run_fault(fault: Fault, cluster: Cluster, *, number: int) -> Entry:
    """Strike once under load, heal, wait, and check the whole history."""
    database = f"vault_{number}"
    execute(cluster.url("postgres"), f"CREATE DATABASE {database} TEMPLATE template0")
    chronicle = Chronicle()
    with (
        TemporaryDirectory(prefix="ha-") as folder,
        Replicas.started(
            owner_url=cluster.url(database),
            service_url=cluster.url(database, user=SERVICE_ROLE),
            folder=Path(folder),
            shape=replace(stages.SHAPE, postgresql=_RULES),
        ) as replicas,
        Load(*replicas.vaults, chronicle=chronicle, seed=_SEED, shape=_LOAD) as load,
    ):
        _wait_for(chronicle, _BEFORE)
        leader = cluster.leader()
        assert leader is not None
        struck_at = time.monotonic()
        fault.strike(cluster, leader)
        chronicle.first_answered_after(time.monotonic(), patience_seconds=60)
        cluster.wait_until_whole()
        time.sleep(_HEALED_SECONDS)
        _wait_for(chronicle, LEAST_ACKNOWLEDGED, whole=True)
        load.end()
        for vault in replicas.vaults:
            assert vault.is_serving(), "a replica does not serve in the end"
        file = HISTORIES / f"{fault.kind}.jsonl"
        entry = entry_of(fault.kind, replicas, load, LIMITS, struck_at=struck_at, expected=EXPECTED, file=file)
        return {**entry, "stopped": chronicle.stopped}


def shortcomings(
    faults: Sequence[Mapping[str, Any]], controls: Sequence[Mapping[str, Any]], *, whole: bool
) -> list[str]:
    """Return why a run must not pass, a line each; one that is not `whole` may leave kinds out."""
    struck = {entry["kind"] for entry in faults}
    found = [f"{fault.kind}: not struck" for fault in FAULTS if whole and fault.kind not in struck]
    found += [f"{entry['kind']}: {name} is {entry[name]}" for entry in faults for name in ZEROS if entry[name]]
    found += [f"{entry['kind']}: a client stopped" for entry in faults if entry["stopped"]]
    found += [
        f"{entry['kind']}: only {entry['acknowledged']} acknowledged"
        for entry in faults
        if entry["acknowledged"] < LEAST_ACKNOWLEDGED
    ]
    found += [f"{entry['kind']}: shows no loss" for entry in controls if not entry["acknowledged_lost"]]
    return found


def main() -> int:
    """Run all; 1 if something was lost, or a control lost nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kinds", default="", help="comma-separated; default: every one")
    wanted = [name for name in parser.parse_args().kinds.split(",") if name]
    if unknown := set(wanted) - {fault.kind for fault in FAULTS}:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        parser.error("network namespaces need root")
    RESULT.unlink(missing_ok=True)  # a run that does not come to its end leaves no other's result
    shutil.rmtree(HISTORIES, ignore_errors=True)
    HISTORIES.mkdir(parents=True)
    began_at = time.monotonic()
    faults: list[Entry] = []
    with TemporaryDirectory(prefix="ha-cluster-") as folder:
        Path(folder).chmod(0o755)
        with Cluster.started(Path(folder)) as cluster:
            for number, fault in enumerate(FAULTS):
                if not wanted or fault.kind in wanted:
                    faults.append(run_fault(fault, cluster, number=number))
                    _print(faults[-1])
    controls = [run_promotion(control, folder=HISTORIES) for control in CONTROLS]
    for control in controls:
        _print(control)
    found = shortcomings(faults, controls, whole=not wanted)
    took = round(time.monotonic() - began_at, 1)
    report = {"whole": not wanted, "faults": faults, "controls": controls, "took_seconds": took, "shortcomings": found}
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{len(faults)} faults and {len(controls)} controls in {took} s: {RESULT.relative_to(ROOT)}")
    for line in found:
        print(f"NOT AS PROMISED  {line}")
    return int(bool(found))


def _wait_for(chronicle: Chronicle, completions: int, *, whole: bool = False) -> None:
    """Wait for so many answered completions more, or in all."""
    before = 0 if whole else _answered(chronicle)
    deadline = time.monotonic() + _MOST_SECONDS
    while _answered(chronicle) < before + completions:
        assert time.monotonic() < deadline, "the load does not go on"
        time.sleep(0.2)


def _answered(chronicle: Chronicle) -> int:
    return sum(call.completes and call.outcome.value in {"acked", "refused"} for call in list(chronicle.calls))


def _print(entry: Mapping[str, Any]) -> None:
    counts = "  ".join(f"{name} {entry[name]}" for name in ZEROS)
    print(
        f"{entry['kind']:<32} {entry['acknowledged']:>6} acknowledged, {entry['unknown']:>4} unknown: {counts};"
        f" unavailable for {entry['seconds_unavailable']} s",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
