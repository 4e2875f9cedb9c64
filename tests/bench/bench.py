"""Measures this machine, all in one run: prints a table, writes build/bench.json.

    python -m tests.bench.bench [--floods]     --floods: only floods of calls that are refused; writes nothing

What counts is `cpu_ratio`: CPU time of front and keepers per release over that of a bare gRPC server per pair of calls
of the same sizes, both under 16 clients and in turns, so that a host that is slow for a while slows both. Throughput
is for information: load generators and servers share the cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.development.environment import DevelopmentVault, VaultFiles, VaultShape
from tests.bench.account import Exchange
from tests.bench.archives import measure_archives
from tests.bench.fleet import Fleet, Load, Sample
from tests.bench.floods import READS_OF_A_PEER, Floods, Target, flood_figures, print_floods
from tests.bench.processes import find_children
from tests.bench.refusals import measure_refusals, print_refusals, refusal_figures
from tests.bench.report import Measured, Point, figures_of, print_table

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / "build" / "bench.json"
SHAPE: Final = VaultShape(
    keepers=2,
    policy={"releases_per_day": 1_000, "cool_down_seconds": []},
    rates={"peer": {"read": [READS_OF_A_PEER]}},
)
# Per keeper twice the rows that it remembers, so that each ceremony begins with one that must be opened, as in life.
ACCOUNTS: Final = 1_024
ACCOUNTS_OF_FLOODS: Final = 64
COMPARED_CLIENTS: Final = 16
OTHER_CLIENTS: Final = (1, 64)
SECONDS: Final = 5.0
ROUNDS: Final = 4
ROUND_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Bench:
    """A running vault, an echo server beside it, and accounts enrolled."""

    vault: DevelopmentVault
    fleet: Fleet
    exchange: Exchange
    echo_address: str
    echo_pid: int
    front: int = field(init=False)
    keepers: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.front, self.keepers = find_children(self.vault.pid)

    def echo(self, clients: int, seconds: float) -> Sample:
        load = Load(address=self.echo_address, clients=clients, seconds=seconds, echo=self.exchange)
        return self.fleet.measure(load, pids=[self.echo_pid])

    def release(self, clients: int, seconds: float) -> Point:
        load = Load(address=self.vault.address, clients=clients, seconds=seconds)
        sample = self.fleet.measure(load, pids=[self.front, *self.keepers])
        return Point(
            clients=clients,
            seconds=seconds,
            latencies=sample.latencies,
            front_seconds=sample.cpu[self.front],
            keeper_seconds=sum(sample.cpu[pid] for pid in self.keepers),
        )

    def echo_point(self, clients: int, seconds: float) -> Point:
        sample = self.echo(clients, seconds)
        cpu = sample.cpu[self.echo_pid]
        return Point(
            clients=clients, seconds=seconds, latencies=sample.latencies, front_seconds=cpu, keeper_seconds=0.0
        )

    def floods(self) -> Floods:
        return Target(
            fleet=self.fleet,
            address=self.vault.address,
            front_pid=self.front,
            echo_address=self.echo_address,
            echo_pid=self.echo_pid,
            exchange=self.exchange,
            token=self.vault.issue_token("account-0"),
        ).measure()


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description="Measures this machine.")
    parser.add_argument("--floods", action="store_true", help="only floods of calls that are refused")
    if parser.parse_args().floods:
        print(f"load average before: {os.getloadavg()[0]:.2f}")
        with (
            tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
            _started(Path(name) / "vault", accounts=ACCOUNTS_OF_FLOODS) as bench,
        ):
            print_floods(flood_figures(bench.floods()))
    else:
        _measure_all()


def _measure_all() -> None:
    started_at, load_average = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        with _started(folder / "vault", accounts=ACCOUNTS) as bench:
            rounds = [
                (
                    bench.echo_point(COMPARED_CLIENTS, ROUND_SECONDS),
                    bench.release(COMPARED_CLIENTS, ROUND_SECONDS),
                )
                for _ in range(ROUNDS)
            ]
            others = [bench.release(clients, SECONDS) for clients in OTHER_CLIENTS]
            refusals = measure_refusals(bench.vault)  # before the floods, which leave this address no reads
            floods = bench.floods()
            exchange = bench.exchange
        archives = measure_archives(folder)
    measured = Measured(
        echo=Point.joined([echo for echo, _ in rounds]),
        compared=Point.joined([release for _, release in rounds]),
        rounds=rounds,
        others=others,
        archives=archives,
        exchange=exchange,
        accounts=ACCOUNTS,
        keepers=SHAPE.keepers,
        load_average_before=load_average,
        took_seconds=time.monotonic() - started_at,
    )
    figures = {**figures_of(measured), **flood_figures(floods), **refusal_figures(refusals)}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print_table(figures)
    print()
    print_floods(figures)
    print()
    print_refusals(figures)
    print(f"\nAll figures: {RESULT.relative_to(ROOT)}")


@contextlib.contextmanager
def _started(folder: Path, *, accounts: int) -> Iterator[_Bench]:
    with DevelopmentVault.start(folder, shape=SHAPE) as vault, Fleet() as fleet:
        exchange = fleet.enroll(
            address=vault.address,
            authority_pem=vault.ca_file.read_bytes(),
            rp_id=SHAPE.rp_id,
            origin=SHAPE.origins[0],
            tokens=[vault.issue_token(f"account-{number}") for number in range(accounts)],
        )
        with _echo_server(vault.files, exchange) as (address, pid):
            yield _Bench(vault=vault, fleet=fleet, exchange=exchange, echo_address=address, echo_pid=pid)


@contextlib.contextmanager
def _echo_server(files: VaultFiles, exchange: Exchange) -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.bench.echo_server", str(files.config_file), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
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


if __name__ == "__main__":
    main()
