"""The load generators, and one measurement: what clients got done, and what it cost the servers, in the same span."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Final, Self

from tests.bench.account import Exchange
from tests.bench.load import Answer, Enroll, Failed, Order, Run, Tally, generate_load
from tests.bench.processes import cpu_seconds

GENERATORS: Final = 2
# For connections, and for first calls, which are slower than all others.
_WARM_UP_SECONDS: Final = 1.5
_JOIN_SECONDS: Final = 10.0


class LoadFailed(Exception):
    """A load generator met an error; carries its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Which load to measure: see `Run`."""

    address: str
    clients: int
    seconds: float
    echo: Exchange | None = None


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

    def measure(self, load: Load, *, pids: Iterable[int]) -> Sample:
        """Measure one span under `load`, and the CPU time of `pids` over just that span."""
        begins_at = time.monotonic() + _WARM_UP_SECONDS
        ends_at = begins_at + load.seconds
        generators = min(GENERATORS, load.clients)
        orders = [
            Run(
                address=load.address,
                clients=load.clients // generators,
                begins_at=begins_at,
                ends_at=ends_at,
                echo=load.echo,
            )
            for _ in range(generators)
        ]
        for pipe, order in zip(self._pipes, orders, strict=False):
            pipe.send(order)
        before = _cpu_at(begins_at, pids)
        after = _cpu_at(ends_at, pids)
        tallies = [tally for tally in self._answers(generators) if isinstance(tally, Tally)]
        return Sample(
            seconds=load.seconds,
            latencies=tuple(latency for tally in tallies for latency in tally.seconds),
            cpu={pid: after[pid] - before[pid] for pid in before},
        )

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


def _cpu_at(moment: float, pids: Iterable[int]) -> dict[int, float]:
    time.sleep(max(0.0, moment - time.monotonic()))
    return {pid: cpu_seconds(pid) for pid in pids}
