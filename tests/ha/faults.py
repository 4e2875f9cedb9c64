"""What happens to the cluster, and how it heals."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

from tests.ha.cluster import Cluster, paused
from tests.ha.network import Host, cut_from_peers, heal_peers

_PAUSE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind. `strike` returns when whatever was struck has been replaced, or has come back, and lets it heal."""

    kind: str
    strike: Callable[[Cluster, Host], None]


def kill_postgres(cluster: Cluster, leader: Host) -> None:
    """SIGKILL to every PostgreSQL process of the primary; Patroni there goes on."""
    for process in cluster.postgres_of(leader):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    cluster.wait_for_leader(other_than=leader)


def kill_host(cluster: Cluster, leader: Host) -> None:
    """The primary's host loses its power, and has it back once there is another primary."""
    leader.kill()
    cluster.wait_for_leader(other_than=leader)
    cluster.start_etcd(leader)
    cluster.start_patroni(leader)


def cut_off_peers(cluster: Cluster, leader: Host) -> None:
    """The primary is cut off from the other hosts, but not from the services."""
    cut_from_peers(leader)
    try:
        cluster.wait_for_leader(other_than=leader)
        time.sleep(_PAUSE_SECONDS)  # both sides go on with what they believe
    finally:
        heal_peers(leader)


def cut_off(cluster: Cluster, leader: Host) -> None:
    """The primary is cut off from everybody."""
    leader.unplug()
    try:
        cluster.wait_for_leader(other_than=leader)
        time.sleep(_PAUSE_SECONDS)
    finally:
        leader.plug_in()


def pause_standby(cluster: Cluster, leader: Host) -> None:
    """One standby stands still; the other confirms alone."""
    standby = next(host for host in cluster.hosts if host != leader)
    with paused(cluster.postgres_of(standby)):
        time.sleep(_PAUSE_SECONDS)


FAULTS: Final = (
    Fault(kind="primary_killed", strike=kill_postgres),
    Fault(kind="host_killed", strike=kill_host),
    Fault(kind="primary_cut_from_peers", strike=cut_off_peers),
    Fault(kind="primary_cut_from_everybody", strike=cut_off),
    Fault(kind="standby_paused", strike=pause_standby),
)
