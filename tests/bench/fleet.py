"""The load generators, and one measurement: what clients got done, and what it cost the servers, in the same span."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Final, Self

from tests.bench.account import Exchange
from tests.bench.load import generate_load
from tests.bench.made import MadeAccounts
from tests.bench.openbao_client import Prepared
from tests.bench.orders import Adopt, Answer, Enroll, Failed, Flood, Order, Run, Steps, Tally, Walk
from tests.bench.processes import cpu_seconds

GENERATORS: Final = 2
# For connections, and for first calls, which are slower than all others.
_WARM_UP_SECONDS: Final = 1.5
_JOIN_SECONDS: Final = 10.0
_FLOOD_CONNECTIONS: Final = 4
_FLOOD_IN_FLIGHT: Final = 4


class LoadFailed(Exception):
    """A load generator met an error; carries its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Which load to measure: see `Run`."""

    address: str
    clients: int
    seconds: float
    echo: Exchange | None = None
    per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a flood consists of: see `Flood`."""

    address: str
    method: str
    request: bytes
    token: str = field(repr=False)
    fresh_signatures: bool = False
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured span.

    Attributes:
        seconds: its length.
        latencies: seconds each, of all releases (or echo pairs) that ended in it.
        cpu: CPU seconds that each watched process used in it, by pid.
    """

    seconds: float
    latencies: tuple[float, ...]
    cpu: dict[int, float]


class Fleet:
    """`GENERATORS` processes. A context manager: they end with it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []
        for _ in range(GENERATORS):
            ours, theirs = context.Pipe()
            process = context.Process(target=generate_load, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(_JOIN_SECONDS)
            if process.is_alive():
                process.kill()

    def enroll(self, *, address: str, authority_pem: bytes, rp_id: str, origin: str, tokens: Sequence[str]) -> Exchange:
        """Spread the accounts of `tokens` over the generators and enroll them; return one release's messages."""
        orders = [
            Enroll(
                address=address,
                authority_pem=authority_pem,
                rp_id=rp_id,
                origin=origin,
                tokens=tuple(tokens[index::GENERATORS]),
            )
            for index in range(GENERATORS)
        ]
        exchange = self._carry_out(orders)[0]
        if not isinstance(exchange, Exchange):
            raise TypeError(exchange)
        return exchange

    def adopt(self, *, authority_pem: bytes, made: MadeAccounts, tokens: Sequence[str]) -> None:
        """Spread accounts that were made over the generators, number 0 and up, each with its token."""
        numbered = tuple(enumerate(tokens))
        self._carry_out(
            [
                Adopt(authority_pem=authority_pem, made=made, accounts=numbered[index::GENERATORS])
                for index in range(GENERATORS)
            ]
        )

    def walk(self, *, address: str, clients: int, first: int, last: int) -> int:
        """Release once for each account from number `first` up to `last`; return how many did."""
        share = Walk(address=address, clients=clients // GENERATORS, first=first // GENERATORS, last=last // GENERATORS)
        tallies = self._carry_out([share] * GENERATORS)
        return sum(len(tally.seconds) for tally in tallies if isinstance(tally, Tally))

    def measure_steps(self, prepared: Prepared, *, clients: int, seconds: float, pids: Iterable[int]) -> Sample:
        """Measure one span of OpenBao's three steps, as `measure` does releases."""
        begins_at = time.monotonic() + _WARM_UP_SECONDS
        ends_at = begins_at + seconds
        generators = min(GENERATORS, clients)
        order = Steps(prepared=prepared, clients=clients // generators, begins_at=begins_at, ends_at=ends_at)
        tallies, cpu = self._run([order] * generators, begins_at=begins_at, ends_at=ends_at, pids=pids)
        return Sample(seconds=seconds, latencies=_all(tallies), cpu=cpu)

    def measure(self, load: Load, *, pids: Iterable[int]) -> Sample:
        """Measure one span under `load`, and the CPU time of `pids` over just that span."""
        begins_at = time.monotonic() + _WARM_UP_SECONDS
        ends_at = begins_at + load.seconds
        generators = min(GENERATORS, load.clients)
        orders: list[Order] = [
            Run(
                address=load.address,
                clients=load.clients // generators,
                begins_at=begins_at,
                ends_at=ends_at,
                echo=load.echo,
                per_second=None if load.per_second is None else load.per_second / generators,
            )
            for _ in range(generators)
        ]
        tallies, cpu = self._run(orders, begins_at=begins_at, ends_at=ends_at, pids=pids)
        return Sample(seconds=load.seconds, latencies=_all(tallies), cpu=cpu)

    def measure_alone(self, load: Load) -> tuple[float, ...]:
        """Return the latencies of what `load` does from one generator, that which is not the one that floods."""
        begins_at = time.monotonic() + _WARM_UP_SECONDS
        ends_at = begins_at + load.seconds
        order = Run(address=load.address, clients=load.clients, begins_at=begins_at, ends_at=ends_at)
        self._pipes[1].send(order)
        answer = self._pipes[1].recv()
        if not isinstance(answer, Tally):
            raise LoadFailed(getattr(answer, "why", ""))
        return answer.seconds

    def measure_flood(
        self,
        stream: Stream,
        *,
        seconds: float,
        pids: Iterable[int],
        good: Load | None = None,
        per_second: float | None = None,
    ) -> tuple[Sample, tuple[float, ...]]:
        """Measure one span of a flood from one generator; also the latencies of what `good` does from another."""
        begins_at = time.monotonic() + _WARM_UP_SECONDS
        ends_at = begins_at + seconds
        orders: list[Order] = [
            Flood(
                address=stream.address,
                method=stream.method,
                request=stream.request,
                token=stream.token,
                fresh_signatures=stream.fresh_signatures,
                code=stream.code,
                connections=_FLOOD_CONNECTIONS,
                in_flight=_FLOOD_IN_FLIGHT,
                begins_at=begins_at,
                ends_at=ends_at,
                per_second=per_second,
            )
        ]
        if good is not None:
            orders.append(Run(address=good.address, clients=good.clients, begins_at=begins_at, ends_at=ends_at))
        tallies, cpu = self._run(orders, begins_at=begins_at, ends_at=ends_at, pids=pids)
        sample = Sample(seconds=seconds, latencies=tallies[0].seconds, cpu=cpu)
        return sample, tallies[1].seconds if good is not None else ()

    def _run(
        self, orders: Sequence[Order], *, begins_at: float, ends_at: float, pids: Iterable[int]
    ) -> tuple[list[Tally], dict[int, float]]:
        for pipe, order in zip(self._pipes, orders, strict=False):
            pipe.send(order)
        before = _cpu_at(begins_at, pids)
        after = _cpu_at(ends_at, pids)
        tallies = [tally for tally in self._answers(len(orders)) if isinstance(tally, Tally)]
        return tallies, {pid: after[pid] - before[pid] for pid in before}

    def _carry_out(self, orders: Sequence[Order]) -> list[Answer]:
        for pipe, order in zip(self._pipes, orders, strict=True):
            pipe.send(order)
        return self._answers(len(orders))

    def _answers(self, count: int) -> list[Answer]:
        answers: list[Answer] = [pipe.recv() for pipe in self._pipes[:count]]
        for answer in answers:
            if isinstance(answer, Failed):
                raise LoadFailed(answer.why)
        return answers


def _all(tallies: Sequence[Tally]) -> tuple[float, ...]:
    return tuple(latency for tally in tallies for latency in tally.seconds)


def _cpu_at(moment: float, pids: Iterable[int]) -> dict[int, float]:
    time.sleep(max(0.0, moment - time.monotonic()))
    return {pid: cpu_seconds(pid) for pid in pids}
