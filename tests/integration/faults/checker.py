"""An exact check of what clients were told against what the database, the users' histories and the keepers' log say.

Whatever was killed or stopped in between, after it holds: what was acknowledged is in the chain under its version and
head; a refusal of an assertion has its event; no ceremony has two; a budget ends a life; nothing was fulfilled that is
not in the chain; nothing stands in the chain that no client sent, or that was granted to a wrong signature.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

import psycopg

from strongroom.v1 import event_pb2

GENESIS = bytes(32)
_RECORDS = "SELECT record_id, version FROM records"
_EVENTS = "SELECT record_id, version, sealed FROM events ORDER BY record_id, version"


@unique
class Outcome(Enum):
    """How a completion ended for its client. UNKNOWN: no answer, or one that says nothing of the attempt."""

    ACKED = "acked"
    REFUSED = "refused"
    UNJUDGED = "unjudged"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One completion as its client saw it. `good`: its signature was right. `version`, `head`: of the receipt."""

    account: str
    ceremony: bytes
    good: bool
    outcome: Outcome
    version: int = 0
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Chain:
    """One record of the database: the version of its row, and the head after each of its events, oldest first."""

    version: int
    event_versions: tuple[int, ...]
    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """A line of the keepers' log."""

    record_id: bytes
    version: int
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is left when all is over. `histories`: each account's own events, as signed for it, oldest first."""

    chains: Mapping[bytes, Chain]
    fulfilled: Sequence[Fulfilled]
    histories: Mapping[str, Sequence[event_pb2.Event]]
    budget: int


def complaints(said: Iterable[Said], evidence: Evidence) -> list[str]:
    """Return what must not be, a line each; empty if all is as promised."""
    by_account: dict[str, list[Said]] = defaultdict(list)
    for each in said:
        by_account[each.account].append(each)
    found = [*_broken_chains(evidence), *_released_without_commit(evidence)]
    for account, completions in by_account.items():
        history = evidence.histories.get(account, ())
        found += _lost(account, completions, _chain_of(history, evidence))
        found += _misjudged(account, completions, history)
    for account, history in evidence.histories.items():
        found += _over_budget(account, history, evidence.budget)
    return found


def read_chains(database: Path) -> dict[bytes, Chain]:
    """Recompute every chain from the sealed events alone (docs/protocol.md, section 3)."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return _chains(connection.execute(_RECORDS).fetchall(), connection.execute(_EVENTS).fetchall())
    finally:
        connection.close()


def read_postgres_chains(url: str) -> dict[bytes, Chain]:
    """See `read_chains`."""
    with psycopg.connect(url) as connection:
        return _chains(connection.execute(_RECORDS).fetchall(), connection.execute(_EVENTS).fetchall())


def _chains(
    records: Iterable[tuple[bytes, int]], rows_of_events: Iterable[tuple[bytes, int, bytes]]
) -> dict[bytes, Chain]:
    rows = dict(records)
    events: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
    for record_id, version, sealed in rows_of_events:
        events[record_id].append((version, sealed))
    return {
        record_id: Chain(
            version=rows.get(record_id, 0),
            event_versions=tuple(version for version, _ in events[record_id]),
            heads=tuple(_heads(sealed for _, sealed in events[record_id])),
        )
        for record_id in {*rows, *events}
    }


def read_fulfilled(log: Path) -> list[Fulfilled]:
    """Read the keepers' log."""
    lines = [line.split() for line in log.read_text(encoding="ascii").splitlines()]
    return [
        Fulfilled(record_id=bytes.fromhex(record_id), version=int(version), head=bytes.fromhex(head))
        for _, _, record_id, version, head in lines
    ]


def _heads(sealed_events: Iterable[bytes]) -> Iterator[bytes]:
    head = GENESIS
    for sealed in sealed_events:
        parts = (b"strongroom/v1/chain", head, sealed)
        head = hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
        yield head


def _chain_of(history: Sequence[event_pb2.Event], evidence: Evidence) -> Chain:
    """The chain that an account's history belongs to, found by its newest head: no key is needed for that."""
    if history:
        for chain in evidence.chains.values():
            if chain.heads and chain.heads[-1] == history[-1].chain_head:
                return chain
    return Chain(version=0, event_versions=(), heads=())


def _broken_chains(evidence: Evidence) -> Iterator[str]:
    for record_id, chain in evidence.chains.items():
        if chain.event_versions != tuple(range(1, chain.version + 1)):
            yield f"record {record_id.hex()}: version {chain.version} has events {chain.event_versions}"


def _released_without_commit(evidence: Evidence) -> Iterator[str]:
    for line in evidence.fulfilled:
        chain = evidence.chains.get(line.record_id)
        if chain is None or not _stands(chain, line.version, line.head):
            yield f"released without commit: record {line.record_id.hex()}, version {line.version}"


def _lost(account: str, completions: Sequence[Said], chain: Chain) -> Iterator[str]:
    for said in completions:
        if said.outcome is Outcome.ACKED and not _stands(chain, said.version, said.head):
            yield f"acknowledged and lost: {account}, version {said.version}"


def _misjudged(account: str, completions: Sequence[Said], history: Sequence[event_pb2.Event]) -> Iterator[str]:
    judged = Counter(event.ceremony for event in history)
    sent: dict[bytes, list[Said]] = defaultdict(list)
    for said in completions:
        sent[said.ceremony].append(said)
    for event in history:
        if event.kind == event_pb2.EVENT_KIND_REWRAP:
            continue  # the operator's; it judges nothing
        if event.ceremony not in sent:
            yield f"attempt that nobody made: {account}, version {event.version}"
        elif event.outcome == event_pb2.EVENT_OUTCOME_GRANTED and not any(each.good for each in sent[event.ceremony]):
            yield f"wrong signature granted: {account}, version {event.version}"
        if judged[event.ceremony] > 1:
            yield f"judged twice: {account}, version {event.version}"
    for said in completions:
        if said.outcome is Outcome.ACKED and not any(each.good for each in sent[said.ceremony]):
            yield f"wrong signature answered: {account}, version {said.version}"
        if said.outcome is Outcome.REFUSED and not judged[said.ceremony]:
            yield f"verdict told and not recorded: {account}"


def _over_budget(account: str, history: Sequence[event_pb2.Event], budget: int) -> Iterator[str]:
    failures = 0
    for event in history:
        if event.kind == event_pb2.EVENT_KIND_REWRAP:
            continue
        if failures >= budget and event.kind != event_pb2.EVENT_KIND_REGISTER:
            yield f"judged beyond the budget: {account}, version {event.version}"
        if event.outcome == event_pb2.EVENT_OUTCOME_GRANTED:
            failures = 0
        elif event.outcome in {event_pb2.EVENT_OUTCOME_FAILED, event_pb2.EVENT_OUTCOME_EXHAUSTED}:
            failures += 1


def _stands(chain: Chain, version: int, head: bytes) -> bool:
    return 1 <= version <= len(chain.heads) and chain.heads[version - 1] == head
