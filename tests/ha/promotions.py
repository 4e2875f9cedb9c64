"""Failovers of plain PostgreSQL on this host, by our own hand: which standby is promoted decides what is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.campaign import stages
from tests.campaign.checker import EXPECTED, Limits
from tests.campaign.history import Chronicle
from tests.campaign.load import Load, LoadShape
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, Replicas
from tests.fixtures.standbys import Standbys
from tests.ha.verdict import Entry, entry_of

LIMITS: Final = Limits(
    budget=stages.BUDGET, cool_down_seconds=stages.COOL_DOWN_SECONDS, releases_per_day=stages.RELEASES_PER_DAY
)
_SEED: Final = 4
_LOAD: Final = LoadShape(workers=6, honest=8, hostile=4, library=3)
# The real client stops for good when what it holds is gone: it would end the load of a control.
_LOAD_OF_CONTROLS: Final = LoadShape(workers=6, honest=8, hostile=4, library=0)
# Refused where the record went back, until nobody remembers.
_LOST: Final = EXPECTED | {"RECORD_REJECTED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """How the cluster commits, and whom it promotes.

    Attributes:
        lagging: promote the standby that received least, which is cut off a while before.
        synchronous: commits wait for a quorum.
        replicas: how many services.
        acknowledged: how many completions there must be before the primary is killed.
    """

    name: str
    lagging: bool = False
    synchronous: bool = True
    replicas: int = 3
    acknowledged: int = 400

    @property
    def loses(self) -> bool:
        """Whether acknowledged attempts must be missed afterwards."""
        return self.lagging or not self.synchronous


QUORUM: Final = Promotion(name="promote_highest_of_quorum")
CONTROLS: Final = (
    Promotion(name="control_asynchronous_commit", synchronous=False),
    Promotion(name="control_promote_lagging_standby", lagging=True),
)


def run_promotion(promotion: Promotion, *, folder: Path) -> Entry:
    """Kill the primary under a storm of good and bad attempts, promote, go on, and check the whole history."""
    with _served(promotion) as (cluster, replicas):
        chronicle = Chronicle()
        shape = _LOAD_OF_CONTROLS if promotion.loses else _LOAD
        with Load(*replicas.vaults, chronicle=chronicle, seed=_SEED, shape=shape) as load:
            _wait_for(chronicle, promotion.acknowledged)
            for server in cluster.others if not promotion.synchronous else cluster.others[1:]:
                cluster.cut_off(server)  # so that the standbys differ
            _wait_for(chronicle, 100)
            struck_at = time.monotonic()
            cluster.primary.kill()
            _promote(cluster, promotion)
            if promotion.loses:
                replicas.restart()  # keepers refuse what is older than they saw; it must be gone on from all the same
            chronicle.first_answered_after(time.monotonic(), patience_seconds=60)
            _wait_for(chronicle, promotion.acknowledged)
            load.end()
            return entry_of(
                promotion.name,
                replicas,
                load,
                LIMITS,
                struck_at=struck_at,
                expected=_LOST if promotion.loses else EXPECTED,
                file=folder / f"{promotion.name}.jsonl",
            )


@contextlib.contextmanager
def _served(promotion: Promotion) -> Iterator[tuple[Standbys, Replicas]]:
    with (
        Standbys.started(synchronous=promotion.synchronous) as cluster,
        # Not in pytest's folder, whose name may be too long for a socket in it.
        TemporaryDirectory(prefix="failover-") as folder,
    ):
        cluster.primary.execute("CREATE DATABASE vault TEMPLATE template0")
        rules: dict[str, float | str] = {"single_node": promotion.loses, "deadline_seconds": 3.0}
        with Replicas.started(
            owner_url=cluster.url("vault"),
            service_url=cluster.url("vault", user=SERVICE_ROLE),
            folder=Path(folder),
            count=promotion.replicas,
            shape=replace(stages.SHAPE, postgresql=rules),
        ) as replicas:
            yield cluster, replicas


def _promote(cluster: Standbys, promotion: Promotion) -> None:
    # With ANY 1 of 2 standbys both must be compared: either may be the one that confirmed.
    ranked: list[PostgresServer] = cluster.by_what_they_received()
    if promotion.loses:
        # The other one may be ahead, and cannot follow: commits must not wait for it.
        cluster.set("synchronous_standby_names", "", on=ranked)
    cluster.promote(ranked[-1] if promotion.lagging else ranked[0])


def _wait_for(chronicle: Chronicle, more: int) -> None:
    """Wait until so many more calls have been answered."""
    enough = len(chronicle.calls) + more
    deadline = time.monotonic() + 60
    while len(chronicle.calls) < enough:
        assert time.monotonic() < deadline, "the load does not go on"
        time.sleep(0.05)
