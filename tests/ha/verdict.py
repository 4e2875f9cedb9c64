"""What the histories of a failover amount to: one entry of build/ha.json."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from strongroom.v1 import event_pb2
from tests.campaign.checker import Finding, Limits, Remains, find, read_released
from tests.campaign.history import Call, Chronicle
from tests.campaign.load import Load
from tests.fixtures.replicas import Replicas
from tests.integration.faults.checker import Outcome, read_fulfilled, read_postgres_chains

Entry = dict[str, object]


def entry_of(
    kind: str, replicas: Replicas, load: Load, limits: Limits, *, struck_at: float, expected: frozenset[str], file: Path
) -> Entry:
    """Hold what clients were told against their accounts' histories, the database and the keepers' logs."""
    histories = load.histories()
    chronicle = load.chronicle
    chronicle.write(file, histories)
    # The logs first: what is in them was committed before.
    fulfilled = [line for log in replicas.logs for line in read_fulfilled(log)]
    released = frozenset(pair for log in replicas.logs for pair in read_released(log))
    chains = read_postgres_chains(replicas.owner_url)
    remains = Remains(histories=histories, chains=chains, fulfilled=fulfilled, released=released)
    finding = find(chronicle.calls, remains, limits, expected=expected)
    double = double_releases(chronicle.calls, histories)
    return _entry(kind, chronicle, finding, double, struck_at)


def double_releases(calls: Sequence[Call], histories: Mapping[str, Sequence[event_pb2.Event]]) -> list[str]:
    """Ceremonies that were answered with more than one release, or granted more than once; a line each."""
    answers: dict[bytes, set[tuple[int, bytes]]] = defaultdict(set)
    for call in calls:
        if call.rpc == "ReleaseEnvelope" and call.outcome is Outcome.ACKED:
            answers[call.ceremony].add((call.version, call.head))
    granted = Counter(
        event.ceremony
        for history in histories.values()
        for event in history
        if event.kind == event_pb2.EVENT_KIND_RELEASE and event.outcome == event_pb2.EVENT_OUTCOME_GRANTED
    )
    twice = {ceremony for ceremony, given in answers.items() if len(given) > 1}
    twice |= {ceremony for ceremony, times in granted.items() if times > 1}
    return [f"released twice: ceremony {ceremony.hex()[:16]}" for ceremony in sorted(twice)]


def seconds_unavailable(calls: Sequence[Call], *, since: float) -> float:
    """The longest time after `since` in which no completion was answered."""
    answered = sorted(call.ended_at for call in calls if call.completes and call.outcome is Outcome.ACKED)
    moments = [since, *(moment for moment in answered if moment > since)]
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)


def _entry(kind: str, chronicle: Chronicle, finding: Finding, double: Sequence[str], struck_at: float) -> Entry:
    why = (*finding.acknowledged_lost, *finding.budget_exceeded, *double, *finding.released_without_commit)
    return {
        "kind": kind,
        "acknowledged": finding.acknowledged,
        "unknown": finding.unknown,
        "acknowledged_lost": len(finding.acknowledged_lost),
        "budget_exceeded": len(finding.budget_exceeded),
        "double_release": len(double),
        "released_without_commit": len(finding.released_without_commit),
        "otherwise": len(finding.otherwise),
        "seconds_unavailable": round(seconds_unavailable(chronicle.calls, since=struck_at), 2),
        "told": dict(sorted(chronicle.told().items())),
        "why": [*why, *finding.otherwise][:20],
    }
