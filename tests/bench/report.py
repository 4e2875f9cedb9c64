"""Figures from measurements, flat and named with their units; and the table."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from tests.bench.account import Exchange
from tests.bench.archives import ArchiveSpeeds

_LIBRARIES = ("grpcio", "protobuf", "cryptography", "python-pkcs11", "uvloop", "pyrage", "zstandard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a number of clients got done in a span, and what it cost the servers.

    Attributes:
        latencies: seconds each, of every release or echo pair that ended in the span.
        front_seconds: CPU time of the front, or of the echo server.
        keeper_seconds: CPU time of all keepers.
        database_seconds: CPU time of the database's server, where there is one.
    """

    clients: int
    seconds: float
    latencies: tuple[float, ...]
    front_seconds: float
    keeper_seconds: float
    database_seconds: float = 0.0

    @classmethod
    def joined(cls, points: Sequence[Self]) -> Self:
        """Return several spans under the same load as one."""
        return cls(
            clients=points[0].clients,
            seconds=sum(point.seconds for point in points),
            latencies=tuple(latency for point in points for latency in point.latencies),
            front_seconds=sum(point.front_seconds for point in points),
            keeper_seconds=sum(point.keeper_seconds for point in points),
            database_seconds=sum(point.database_seconds for point in points),
        )

    @property
    def count(self) -> int:
        """How many ended."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds of front and keepers for one."""
        return self.front_us + self.keeper_us

    @property
    def front_us(self) -> float:
        """CPU microseconds of the front for one."""
        return 1e6 * self.front_seconds / self.count

    @property
    def keeper_us(self) -> float:
        """CPU microseconds of the keepers for one."""
        return 1e6 * self.keeper_seconds / self.count

    @property
    def database_us(self) -> float:
        """CPU microseconds of the database's server for one."""
        return 1e6 * self.database_seconds / self.count

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of all did not exceed (nearest rank)."""
        ordered = sorted(self.latencies)
        return 1e3 * ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All of a run. `echo` and `compared` are the sums of `rounds`, pairs of (echo, release) in turns.

    `load_average_before` tells whether the machine was busy with something else: then figures say little.
    """

    echo: Point
    compared: Point
    rounds: Sequence[tuple[Point, Point]]
    others: Sequence[Point]
    archives: ArchiveSpeeds
    exchange: Exchange
    accounts: int
    keepers: int
    load_average_before: float
    took_seconds: float


def figures_of(measured: Measured) -> dict[str, object]:
    """Return every figure by its name in bench.json."""
    echo, compared, archives = measured.echo, measured.compared, measured.archives
    points = sorted([compared, *measured.others], key=lambda point: point.clients)
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **_machine(),
        "bare_echo_pairs_per_second": round(echo.per_second, 1),
        "bare_echo_cpu_us_per_pair": round(echo.cpu_us, 1),
        "bare_echo_p50_ms": round(echo.percentile_ms(50), 2),
        "bare_echo_p99_ms": round(echo.percentile_ms(99), 2),
        "bare_echo_pairs": echo.count,
        "releases_per_second": round(compared.per_second, 1),
        "front_cpu_us_per_release": round(compared.front_us, 1),
        "keeper_cpu_us_per_release": round(compared.keeper_us, 1),
        "cpu_ratio": round(compared.cpu_us / echo.cpu_us, 2),
        "cpu_ratio_of_each_round": [round(release.cpu_us / pair.cpu_us, 2) for pair, release in measured.rounds],
        "ratio": round(compared.per_second / echo.per_second, 3),
        "compared_clients": compared.clients,
        **{name: value for point in points for name, value in _named(point)},
        "archive_backup_mib_per_second": round(archives.backup, 1),
        "archive_restore_mib_per_second": round(archives.restore, 1),
        "age_alone_encrypt_mib_per_second": round(archives.age_encrypt, 1),
        "age_alone_decrypt_mib_per_second": round(archives.age_decrypt, 1),
        "archive_content_mib": round(archives.content_mib, 1),
        "archive_file_mib": round(archives.archive_mib, 1),
        "begin_request_bytes": len(measured.exchange.begin_request),
        "begin_response_bytes": len(measured.exchange.begin_response),
        "release_request_bytes": len(measured.exchange.release_request),
        "release_response_bytes": len(measured.exchange.release_response),
        "accounts": measured.accounts,
        "keepers": measured.keepers,
        "load_average_before": round(measured.load_average_before, 2),
        "took_seconds": round(measured.took_seconds, 1),
    }


def database_figures(rounds: Sequence[tuple[Point, Point]], *, prefix: str) -> dict[str, object]:
    """Return what releases cost on a database that is a server; `rounds` are pairs of (echo, release) in turns."""
    echo = Point.joined([each for each, _ in rounds])
    release = Point.joined([each for _, each in rounds])
    figures = {
        "releases_per_second": round(release.per_second, 1),
        "p50_ms": round(release.percentile_ms(50), 2),
        "p99_ms": round(release.percentile_ms(99), 2),
        "front_cpu_us_per_release": round(release.front_us, 1),
        "keeper_cpu_us_per_release": round(release.keeper_us, 1),
        "server_cpu_us_per_release": round(release.database_us, 1),
        "bare_echo_cpu_us_per_pair": round(echo.cpu_us, 1),
        "cpu_ratio": round(release.cpu_us / echo.cpu_us, 2),
        "cpu_ratio_with_server": round((release.cpu_us + release.database_us) / echo.cpu_us, 2),
    }
    return {f"{prefix}{name}": value for name, value in figures.items()}


def half_load_figures(half: Point, *, prefix: str) -> dict[str, object]:
    """Return latencies where releases begin by chance, half as often as there were at the most."""
    p50, p99 = half.percentile_ms(50), half.percentile_ms(99)
    return {
        f"{prefix}half_load_releases_per_second": round(half.per_second, 1),
        f"{prefix}half_load_p50_ms": round(p50, 2),
        f"{prefix}half_load_p99_ms": round(p99, 2),
        f"{prefix}half_load_p99_to_p50": round(p99 / p50, 2),
    }


def print_databases(figures: Mapping[str, object]) -> None:
    """Print what matters of what depends on the database."""
    for prefix in ("", "postgres_"):
        for name in ("cpu_ratio", "half_load_p50_ms", "half_load_p99_to_p50", "slow_flush_throughput_ratio"):
            print(f"{prefix + name:<38} {figures[prefix + name]}")
    for name in ("postgres_releases_per_second", "postgres_server_cpu_us_per_release"):
        print(f"{name:<38} {figures[name]}")


def print_table(figures: Mapping[str, object]) -> None:
    """Print what matters of `figures`."""
    header = ("clients", "releases/s", "p50 ms", "p99 ms", "front us", "keepers us")
    names = ("releases_per_second", "p50_ms", "p99_ms", "front_cpu_us", "keeper_cpu_us")
    rows = [(f"{clients}", *(f"{figures[_at(name, clients)]}" for name in names)) for clients in _clients(figures)]
    for row in (header, *rows):
        print("  ".join(f"{cell:>11}" for cell in row))
    print()
    for name in (
        "bare_echo_pairs_per_second",
        "bare_echo_cpu_us_per_pair",
        "front_cpu_us_per_release",
        "keeper_cpu_us_per_release",
        "cpu_ratio",
        "cpu_ratio_of_each_round",
        "ratio",
        "archive_backup_mib_per_second",
        "archive_restore_mib_per_second",
        "age_alone_encrypt_mib_per_second",
        "age_alone_decrypt_mib_per_second",
        "load_average_before",
        "took_seconds",
    ):
        print(f"{name:<34} {figures[name]}")


def _named(point: Point) -> Iterable[tuple[str, object]]:
    clients = point.clients
    yield _at("releases_per_second", clients), round(point.per_second, 1)
    yield _at("p50_ms", clients), round(point.percentile_ms(50), 2)
    yield _at("p99_ms", clients), round(point.percentile_ms(99), 2)
    yield _at("front_cpu_us", clients), round(point.front_us, 1)
    yield _at("keeper_cpu_us", clients), round(point.keeper_us, 1)
    yield _at("releases", clients), point.count
    yield _at("seconds", clients), point.seconds


def _at(name: str, clients: int) -> str:
    return f"{name}_at_{clients}"


def _clients(figures: Mapping[str, object]) -> list[int]:
    prefix = _at("releases_per_second", 0)[:-1]
    return sorted(int(name.removeprefix(prefix)) for name in figures if name.startswith(prefix))


def _machine() -> dict[str, object]:
    cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in cpu_info if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{f"{name.replace('-', '_')}_version": version(name) for name in _LIBRARIES},
    }
