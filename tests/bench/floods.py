"""Floods of calls that are refused: how many are, beside bare echo calls in turns, and what good callers notice.

Two kinds: calls of an address above its rate, refused before anything is looked at, and calls with a token whose
signature is false, for which the signature has to be verified first. Good callers are measured beside a flood that
takes all it can get, which on one machine takes cores from them too, and beside one of a stated pace.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom.v1 import vault_service_pb2 as pb
from tests.bench.fleet import Fleet, Load, Stream
from tests.bench.report import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.account import Exchange

GOOD_CLIENTS: Final = 4
ROUNDS: Final = 3
ROUND_SECONDS: Final = 1.5
GOOD_SECONDS: Final = 3.0
PACE: Final = 1_000
"""Calls a second of the flood of a stated pace: a hundred times what an address may by default."""

READS_OF_A_PEER: Final = "64/h"
"""What the vault must admit of reads from one address: enrolling needs a few, and all above these is the flood."""

_SERVICE: Final = "/strongroom.v1.VaultService"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What was measured of one kind of flood.

    Attributes:
        echo, refused: sums of spans in turns.
        good: what good callers got done beside all of the flood.
        good_paced: the same beside `PACE` calls a second.
    """

    echo: Point
    refused: Point
    good: Point
    good_paced: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Floods:
    """All that was measured; `good` is what good callers got done without a flood, from the same one generator."""

    good: Point
    limited: Kind
    stranger: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running vault that admits `READS_OF_A_PEER`, the echo server beside it, and what to send: `token` is good."""

    fleet: Fleet
    address: str
    front_pid: int
    echo_address: str
    echo_pid: int
    exchange: Exchange
    token: str

    def measure(self) -> Floods:
        """Measure both kinds."""
        good = self.fleet.measure_alone(self._good_load())
        read = pb.GetServiceInfoRequest(nonce=os.urandom(32)).SerializeToString()
        limited = Stream(
            address=self.address,
            method=f"{_SERVICE}/GetServiceInfo",
            request=read,
            token=self.token,
            code="RESOURCE_EXHAUSTED",
        )
        stranger = Stream(
            address=self.address,
            method=f"{_SERVICE}/BeginCeremony",
            request=self.exchange.begin_request,
            token=self.token,
            fresh_signatures=True,
            code="UNAUTHENTICATED",
        )
        return Floods(good=_good(good), limited=self._measure(limited), stranger=self._measure(stranger))

    def _measure(self, stream: Stream) -> Kind:
        answered = Stream(
            address=self.echo_address,
            method=f"{_SERVICE}/BeginCeremony",
            request=self.exchange.begin_request,
            token=self.token,
            code="OK",
        )
        rounds = [(self._span(answered, self.echo_pid), self._span(stream, self.front_pid)) for _ in range(ROUNDS)]
        beside, beside_paced = (
            self.fleet.measure_flood(
                stream, seconds=GOOD_SECONDS, pids=[], good=self._good_load(), per_second=per_second
            )[1]
            for per_second in (None, PACE)
        )
        return Kind(
            echo=Point.joined([echo for echo, _ in rounds]),
            refused=Point.joined([refused for _, refused in rounds]),
            good=_good(beside),
            good_paced=_good(beside_paced),
        )

    def _span(self, stream: Stream, pid: int) -> Point:
        sample, _ = self.fleet.measure_flood(stream, seconds=ROUND_SECONDS, pids=[pid])
        return Point(
            clients=1,
            seconds=sample.seconds,
            latencies=sample.latencies,
            front_seconds=sample.cpu[pid],
            keeper_seconds=0.0,
        )

    def _good_load(self) -> Load:
        return Load(address=self.address, clients=GOOD_CLIENTS, seconds=GOOD_SECONDS)


def _good(latencies: Sequence[float]) -> Point:
    return Point(
        clients=GOOD_CLIENTS,
        seconds=GOOD_SECONDS,
        latencies=tuple(latencies),
        front_seconds=0.0,
        keeper_seconds=0.0,
    )


def flood_figures(floods: Floods) -> Mapping[str, object]:
    """Return every figure by its name in bench.json; `rejections_per_second` is that of calls above their rate."""
    return {
        **_figures_of(floods.limited, idle=floods.good, prefix=""),
        **_figures_of(floods.stranger, idle=floods.good, prefix="stranger_"),
        "good_p99_ms_without_flood": round(floods.good.percentile_ms(99), 2),
        "good_clients": GOOD_CLIENTS,
        "paced_flood_calls_per_second": PACE,
    }


def _figures_of(kind: Kind, *, idle: Point, prefix: str) -> Mapping[str, object]:
    p99, paced = kind.good.percentile_ms(99), kind.good_paced.percentile_ms(99)
    figures = {
        "rejections_per_second": round(kind.refused.per_second, 1),
        "bare_echo_calls_per_second": round(kind.echo.per_second, 1),
        "rejections_to_echo_calls": round(kind.refused.per_second / kind.echo.per_second, 2),
        "rejection_cpu_us": round(kind.refused.front_us, 1),
        "bare_echo_cpu_us_per_call": round(kind.echo.front_us, 1),
        "rejection_cpu_ratio": round(kind.refused.front_us / kind.echo.front_us, 2),
        "good_p99_ms_in_flood": round(p99, 2),
        "good_p99_ratio_in_flood": round(p99 / idle.percentile_ms(99), 2),
        "good_p99_ms_in_paced_flood": round(paced, 2),
        "good_p99_ratio_in_paced_flood": round(paced / idle.percentile_ms(99), 2),
    }
    return {f"{prefix}{name}": value for name, value in figures.items()}


def print_floods(figures: Mapping[str, object]) -> None:
    """Print what matters of `figures`."""
    for prefix in ("", "stranger_"):
        for name in (
            "rejections_per_second",
            "bare_echo_calls_per_second",
            "rejections_to_echo_calls",
            "rejection_cpu_ratio",
            "good_p99_ratio_in_flood",
            "good_p99_ratio_in_paced_flood",
        ):
            print(f"{prefix + name:<38} {figures[prefix + name]}")
    print(f"{'good_p99_ms_without_flood':<38} {figures['good_p99_ms_without_flood']}")
