"""What three billion accounts take, by what one release and one row take here and by what is assumed of people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ACCOUNTS: Final = 3_000_000_000
RELEASES_PER_ACCOUNT_AND_YEAR: Final = 1.0
ATTEMPTS_PER_RELEASE: Final = 1.5
PEAK: Final = 5
ABUSE: Final = 10
YEARS_OF_EVENTS: Final = 1.0
COPIES: Final = 3
RESTORED_ACCOUNTS: Final = 190_000_000
"""As many as a cluster may have, so that it can be restored in hours."""
CHECKPOINT_SECONDS: Final = 6 * 3_600
"""How long a daily checkpoint, which opens every record, may keep a keeper busy."""
KEEPERS: Final = 2
BUSY: Final = 0.5
"""How busy processes and databases may be at peak: half, for the tail, and for a replica that is away."""
TOKEN_CALLS_PER_SECOND: Final = 5_000.0
CORE_MONTH, TEBIBYTE_MONTH, TOKEN_MONTH = 25.0, 100.0, 1_200.0
"""Money a month: a core with its memory, a TiB of fast disk, a network token. Put your own."""

_YEAR_SECONDS: Final = 365.25 * 86_400
_TEBIBYTE: Final = 2**40
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What three billion accounts take, from what one release and one row take here."""

    attempts_per_second: float
    peak: float
    abuse: float
    service_cores: int
    database_cores: int
    replicas: int
    replicas_in_abuse: int
    rows_tebibytes: float
    events_tebibytes: float
    accounts_per_cluster: int
    clusters: int
    log_mebibytes_per_second: float
    token_calls_at_peak: float
    token_calls_in_abuse: float
    tokens: int

    @property
    def stored_tebibytes(self) -> float:
        """On all copies."""
        return (self.rows_tebibytes + self.events_tebibytes) * COPIES

    @property
    def money_a_month(self) -> float:
        """By the prices assumed."""
        cores = self.service_cores + self.database_cores * COPIES
        return cores * CORE_MONTH + self.stored_tebibytes * TEBIBYTE_MONTH + self.tokens * TOKEN_MONTH


def plan_of(bench: Figures, growth: Figures, memory: Figures) -> Plan:
    """Return the plan that follows from the figures on PostgreSQL, with the most records that were measured."""
    most = max(growth["records"])
    front_us, keeper_us, server_us, log_bytes = (
        growth[f"postgres_{name}_at_{most}"]
        for name in (
            "front_cpu_us_per_release",
            "keeper_cpu_us_per_release",
            "server_cpu_us_per_release",
            "log_bytes_per_release",
        )
    )
    mean = ACCOUNTS * RELEASES_PER_ACCOUNT_AND_YEAR * ATTEMPTS_PER_RELEASE / _YEAR_SECONDS
    peak, abuse = mean * PEAK, mean * PEAK * ABUSE
    # A front is one process on one core, and so is each of its keepers: the busiest of them is full first.
    of_a_replica = BUSY * 1e6 / max(front_us, keeper_us / KEEPERS)
    events = 2 + RELEASES_PER_ACCOUNT_AND_YEAR * ATTEMPTS_PER_RELEASE * YEARS_OF_EVENTS
    token_calls = bench["token_calls_per_release"]
    checked = int(CHECKPOINT_SECONDS * 1e6 / memory["checkpoint_us_per_record"])
    accounts_per_cluster = min(RESTORED_ACCOUNTS, checked)
    clusters = math.ceil(ACCOUNTS / accounts_per_cluster)
    return Plan(
        attempts_per_second=mean,
        peak=peak,
        abuse=abuse,
        service_cores=math.ceil(peak * (front_us + keeper_us) / 1e6 / BUSY),
        database_cores=max(clusters, math.ceil(peak * server_us / 1e6 / BUSY)),
        replicas=math.ceil(peak / of_a_replica),
        replicas_in_abuse=math.ceil(abuse / of_a_replica),
        rows_tebibytes=ACCOUNTS * growth["postgres_record_bytes_on_disk"] / _TEBIBYTE,
        events_tebibytes=ACCOUNTS * events * growth["postgres_event_bytes_on_disk"] / _TEBIBYTE,
        accounts_per_cluster=accounts_per_cluster,
        clusters=clusters,
        log_mebibytes_per_second=peak * log_bytes / 2**20,
        token_calls_at_peak=peak * token_calls,
        token_calls_in_abuse=abuse * token_calls,
        tokens=2 * math.ceil(peak * token_calls / BUSY / TOKEN_CALLS_PER_SECOND),
    )


def plan_rows(plan: Plan) -> Sequence[tuple[object, object, object]]:
    """Return what follows: what, how much, from what."""
    checkpoints = f"a daily checkpoint takes {CHECKPOINT_SECONDS / 3_600:.0f} hours"
    limit = checkpoints if plan.accounts_per_cluster < RESTORED_ACCOUNTS else "one can be restored in hours"
    copy = plan.rows_tebibytes + plan.events_tebibytes
    return [
        (
            "attempts a second",
            f"{plan.attempts_per_second:,.0f} in the mean, {plan.peak:,.0f} at peak, {plan.abuse:,.0f} in abuse",
            f"a release per account and year, {ATTEMPTS_PER_RELEASE} attempts each; peak {PEAK}x, abuse {ABUSE}x",
        ),
        (
            "replicas (a front and two keepers)",
            f"{plan.replicas} at peak, {plan.replicas_in_abuse} if abuse were served instead of refused",
            f"the busiest process at {BUSY:.0%}",
        ),
        ("cores of the service at peak", plan.service_cores, f"CPU a release, at {BUSY:.0%}"),
        (
            "cores of the databases, a copy",
            plan.database_cores,
            f"CPU a release at {BUSY:.0%}, and one for each cluster at the least",
        ),
        ("records, one copy", f"{plan.rows_tebibytes:.1f} TiB", "bytes on disk of a record"),
        (
            "events, one copy",
            f"{plan.events_tebibytes:.1f} TiB",
            f"enrolling is two; attempts of {YEARS_OF_EVENTS:g} year, older ones pruned",
        ),
        ("all copies", f"{plan.stored_tebibytes:.0f} TiB", f"{COPIES} copies"),
        (
            "shards",
            f"{plan.clusters} clusters of {COPIES} nodes, {copy / plan.clusters:.2f} TiB each",
            f"{plan.accounts_per_cluster / 1e6:.0f} million accounts each: {limit}",
        ),
        (
            "log at peak, all clusters",
            f"{plan.log_mebibytes_per_second:.1f} MiB/s",
            "bytes of log a release, pages cold",
        ),
        (
            "token calls a second",
            f"{plan.token_calls_at_peak:,.0f} at peak, {plan.token_calls_in_abuse:,.0f} in abuse",
            "calls a release",
        ),
        (
            "tokens",
            plan.tokens,
            f"{TOKEN_CALLS_PER_SECOND:,.0f} calls a second each (assumed), {BUSY:.0%} busy, each with a twin",
        ),
        (
            "money a month",
            f"{plan.money_a_month:,.0f}; {plan.money_a_month * 12 / ACCOUNTS * 1e6:,.0f} a million accounts and year",
            f"assumed: {CORE_MONTH:g} a core, {TEBIBYTE_MONTH:g} a TiB, {TOKEN_MONTH:,g} a token",
        ),
    ]
