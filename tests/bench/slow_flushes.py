"""What is left of the throughput where each flush to disk takes a millisecond longer: served in turns with and without.

The disk of a virtual machine often acknowledges from a cache, in hundredths of a millisecond; a plain SSD or a disk
behind a network takes one or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.bench.report import Point
from tests.fakes.slow_flush.slow_flush import SlowFlush

if TYPE_CHECKING:
    from tests.bench.running import Bench

ADDED_US: Final = 1_000
ROUNDS: Final = 3
ROUND_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class SlowFlushes:
    """Sums of spans in turns."""

    without: Point
    slowed: Point


def measure_slow_flushes(bench: Bench, *, clients: int) -> SlowFlushes:
    """Serve again and again; the vault serves without at the end.

    Raises:
        RuntimeError: whoever flushes did not flush more slowly.
    """
    shim = SlowFlush(bench.served.shared_folder() / "slow-flush", microseconds=ADDED_US)
    without, slowed = [], []
    for _ in range(ROUNDS):
        bench.pids = bench.served.serve()
        without.append(bench.release(clients, ROUND_SECONDS))
        bench.pids = bench.served.serve(environment=shim.environment)
        slowed.append(bench.release(clients, ROUND_SECONDS))
        if shim.users().isdisjoint(bench.pids.database or (bench.pids.front,)):
            raise RuntimeError("nobody used the library that makes flushes slow")
    bench.pids = bench.served.serve()
    return SlowFlushes(without=Point.joined(without), slowed=Point.joined(slowed))


def slow_flush_figures(measured: SlowFlushes, *, prefix: str) -> dict[str, object]:
    """Return what is left of the throughput with slow flushes, by name."""
    without, slowed = measured.without, measured.slowed
    return {
        f"{prefix}releases_per_second_without_slow_flush": round(without.per_second, 1),
        f"{prefix}releases_per_second_with_slow_flush": round(slowed.per_second, 1),
        f"{prefix}slow_flush_throughput_ratio": round(slowed.per_second / without.per_second, 3),
        f"{prefix}slow_flush_p50_ms": round(slowed.percentile_ms(50), 2),
        f"{prefix}slow_flush_p99_ms": round(slowed.percentile_ms(99), 2),
    }
