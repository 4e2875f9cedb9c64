"""One kind of fault from beginning to end: a vault, a load, so many injections, and what the checker says of it all."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from tests.campaign.checker import Finding, Limits, Remains, find, read_released
from tests.campaign.history import Chronicle
from tests.campaign.kinds import Kind
from tests.campaign.load import Load, LoadShape
from tests.campaign.scene import Scene
from tests.campaign.stages import StruckVault
from tests.fakes.stepped_vault import until
from tests.integration.faults.checker import read_chains, read_fulfilled

Entry = dict[str, object]
"""One entry of faults.json."""

_DAY_SECONDS: Final = 86_400
_BETWEEN_SECONDS: Final = 0.1


def run_kind(kind: Kind, *, injections: int, seed: int, folder: Path, shape: LoadShape | None = None) -> Entry:
    """Strike `injections` times under load; the histories are left in `folder`, as <kind>.jsonl."""
    began_at, day = time.monotonic(), _today()
    chronicle = Chronicle()
    # Not in `folder`, whose name may be too long for a socket in it.
    with (
        TemporaryDirectory(prefix="campaign-") as place,
        kind.stage(Path(place)) as vault,
        Load(vault, chronicle=chronicle, seed=seed, shape=shape) as load,
    ):
        scene = Scene(vault=vault, load=load, chronicle=chronicle, chance=Random(f"{kind.name}-{seed}"))
        chronicle.first_answered_after(time.monotonic(), patience_seconds=30)
        for _ in range(injections):
            scene.wait(0.0, _BETWEEN_SECONDS)
            scene.inject(kind.strike)
        load.end()
        kind.settle(scene)
        until(vault.is_serving, "the service is well in the end")
        limits = replace(kind.limits, days=_today() - day + 1)
        finding = hold_against_record(vault, load, limits, kind.expected, folder / f"{kind.name}.jsonl")
        also = (*chronicle.stopped, *kind.also(scene))
    return entry_of(kind.name, chronicle, finding, also=also, seconds=time.monotonic() - began_at)


def hold_against_record(
    vault: StruckVault, load: Load, limits: Limits, expected: frozenset[str], history_file: Path
) -> Finding:
    """Check what clients were told against their accounts' histories, the database and the keepers' log."""
    histories = load.histories()
    load.chronicle.write(history_file, histories)
    # The log first: what is in it was committed before.
    fulfilled, released = read_fulfilled(vault.fulfilment_log), read_released(vault.fulfilment_log)
    remains = Remains(histories=histories, chains=read_chains(vault.database), fulfilled=fulfilled, released=released)
    return find(load.chronicle.calls, remains, limits, expected=expected)


def entry_of(name: str, chronicle: Chronicle, finding: Finding, *, also: tuple[str, ...] = (), seconds: float) -> Entry:
    """Return one entry of faults.json."""
    injections = chronicle.injections
    recovery = sorted(each.seconds_to_recover for each in injections)
    otherwise = (*finding.otherwise, *also)
    why = (*finding.acknowledged_lost, *finding.budget_exceeded, *finding.released_without_commit, *otherwise)
    return {
        "kind": name,
        "injected": len(injections),
        "in_flight": sum(each.in_flight for each in injections),
        "acknowledged": finding.acknowledged,
        "acknowledged_lost": len(finding.acknowledged_lost),
        "budget_exceeded": len(finding.budget_exceeded),
        "released_without_commit": len(finding.released_without_commit),
        "otherwise": len(otherwise),
        "unknown": finding.unknown,
        "seconds_to_recover": {
            "p50": round(statistics.median(recovery), 3) if recovery else 0.0,
            "max": round(max(recovery, default=0.0), 3),
        },
        "told": dict(sorted(chronicle.told().items())),
        "why": why[:20],
        "seconds": round(seconds, 1),
        "history": f"faults/{name}.jsonl",
    }


def _today() -> int:
    return int(time.time()) // _DAY_SECONDS
