"""A vault that serves, an echo server beside it, load generators with accounts enrolled: what is measured with."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.development.environment import VaultFiles
from tests.bench.account import Exchange
from tests.bench.fleet import Fleet, Load
from tests.bench.floods import Floods, Target
from tests.bench.report import Point
from tests.bench.served import SHAPE, Pids, ServedVault

_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Bench:
    """What `started` started."""

    served: ServedVault
    fleet: Fleet
    exchange: Exchange
    echo_address: str
    echo_pid: int
    pids: Pids = field(init=False)

    def __post_init__(self) -> None:
        self.pids = self.served.pids()

    def echo(self, clients: int, seconds: float) -> Point:
        """Measure pairs of echo calls."""
        load = Load(address=self.echo_address, clients=clients, seconds=seconds, echo=self.exchange)
        sample = self.fleet.measure(load, pids=[self.echo_pid])
        cpu = sample.cpu[self.echo_pid]
        return Point(
            clients=clients, seconds=seconds, latencies=sample.latencies, front_seconds=cpu, keeper_seconds=0.0
        )

    def release(self, clients: int, seconds: float, *, per_second: float | None = None) -> Point:
        """Measure releases: as many as `clients` at once get, or at a pace over so many connections."""
        return measure_releases(
            self.fleet,
            Load(address=self.served.vault.address, clients=clients, seconds=seconds, per_second=per_second),
            pids=self.pids,
        )

    def floods(self) -> Floods:
        """Measure floods."""
        return Target(
            fleet=self.fleet,
            address=self.served.vault.address,
            front_pid=self.pids.front,
            echo_address=self.echo_address,
            echo_pid=self.echo_pid,
            exchange=self.exchange,
            token=self.served.vault.issue_token("account-0"),
        ).measure()


def measure_releases(fleet: Fleet, load: Load, *, pids: Pids) -> Point:
    """Measure releases under `load`, with what they cost each kind of process."""
    sample = fleet.measure(load, pids=pids.all)
    return Point(
        clients=load.clients,
        seconds=load.seconds,
        latencies=sample.latencies,
        front_seconds=sample.cpu[pids.front],
        keeper_seconds=sum(sample.cpu[pid] for pid in pids.keepers),
        database_seconds=sum(sample.cpu[pid] for pid in pids.database),
    )


@contextlib.contextmanager
def started(vault: AbstractContextManager[ServedVault], *, accounts: int) -> Iterator[Bench]:
    """Serve the vault, enroll so many accounts, start an echo server with a release's messages."""
    with vault as served, Fleet() as fleet:
        served.serve()
        exchange = fleet.enroll(
            address=served.vault.address,
            authority_pem=served.vault.ca_file.read_bytes(),
            rp_id=SHAPE.rp_id,
            origin=SHAPE.origins[0],
            tokens=[served.vault.issue_token(f"account-{number}") for number in range(accounts)],
        )
        with echo_server(served.vault.files, exchange) as (address, pid):
            yield Bench(served=served, fleet=fleet, exchange=exchange, echo_address=address, echo_pid=pid)


@contextlib.contextmanager
def echo_server(files: VaultFiles, exchange: Exchange) -> Iterator[tuple[str, int]]:
    """Run an echo server; yield its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.bench.echo_server", str(files.config_file), str(port)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdin is None or server.stdout is None:
            raise TypeError(server)
        try:
            server.stdin.write(f"{exchange.begin_response.hex()}\n{exchange.release_response.hex()}\n")
            server.stdin.flush()
            if server.stdout.readline() != "serving\n":
                raise RuntimeError("the echo server did not start")
            yield f"localhost:{port}", server.pid
        finally:
            server.send_signal(signal.SIGTERM)
