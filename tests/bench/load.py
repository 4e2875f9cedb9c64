"""A load generator: a process of its own, so that what clients cost is not counted. Any error ends it, and the bench.

It makes its accounts once and keeps them; after that each `Run` is one point or one round of a point.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import uvloop

from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.bench.account import TIMEOUT_SECONDS, Account, Exchange, WrongReply

if TYPE_CHECKING:
    from strongroom.v1.vault_service_pb2_grpc import VaultServiceAsyncStub

_ENROLL_AT_ONCE: Final = 16
# Each client has its own connection, as clients do; without this gRPC would share one.
_CHANNEL_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll:
    """Make accounts, one for each token, and enroll them at `address`; answered with one release's `Exchange`."""

    address: str
    authority_pem: bytes
    rp_id: str
    origin: str
    tokens: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Do what `clients` at once do until `ends_at`; answered with the `Tally` of what ended from `begins_at` on.

    Times are those of time.monotonic(), which all processes of one host share. With `echo` its two calls are made in
    place of a release.
    """

    address: str
    clients: int
    begins_at: float
    ends_at: float
    echo: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Send a request again and again, `in_flight` at once over each of `connections`; what counts ends in `code`.

    With `fresh_signatures` each token has another one, drawn by chance: nobody can remember it as false.

    Nothing but the code of an answer is looked at, so that a refusal costs the generator about what an answer does.
    With `per_second` no more calls than that are made, else as many as are answered.
    """

    address: str
    method: str
    request: bytes = field(repr=False)
    token: str = field(repr=False)
    fresh_signatures: bool
    code: str
    connections: int
    in_flight: int
    begins_at: float
    ends_at: float
    per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Seconds that each release (or echo pair) took, from before its first call until its reply was opened.

    Of a flood, those of each call.
    """

    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong, as a traceback."""

    why: str


Order = Enroll | Run | Flood
Answer = Exchange | Tally | Failed


def generate_load(orders: Connection) -> None:
    """Carry out `Order`s from the pipe until it is closed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        generator = _Generator()
        while True:
            try:
                order: Order = orders.recv()
            except EOFError:
                return
            try:
                answer: Answer = runner.run(generator.carry_out(order))
            except Exception:  # noqa: BLE001  told to the bench, which fails
                answer = Failed(traceback.format_exc())
            orders.send(answer)


class _Generator:
    def __init__(self) -> None:
        self._authority_pem = b""
        self._accounts: list[Account] = []

    async def carry_out(self, order: Order) -> Exchange | Tally:
        match order:
            case Enroll():
                return await self._enroll(order)
            case Run():
                return await self._run(order)
            case Flood():
                return await self._flood(order)

    async def _enroll(self, order: Enroll) -> Exchange:
        self._authority_pem = order.authority_pem
        self._accounts = [Account(token=token, rp_id=order.rp_id, origin=order.origin) for token in order.tokens]
        async with AsyncExitStack() as open_channels:
            (stub,) = await self._connect(open_channels, order.address, 1)
            transport_key = await self._accounts[0].transport_key(stub)
            waiting = iter(self._accounts)

            async def enroll_next() -> None:
                for account in waiting:
                    await account.enroll(stub, transport_key)

            await _all_of(enroll_next() for _ in range(_ENROLL_AT_ONCE))
            return await self._accounts[0].release(stub)

    async def _run(self, order: Run) -> Tally:
        seconds: list[float] = []
        async with AsyncExitStack() as open_channels:
            stubs = await self._connect(open_channels, order.address, order.clients)
            shares = (self._accounts[index :: order.clients] for index in range(order.clients))
            await _all_of(
                _client(order, stub, share, seconds.append) for stub, share in zip(stubs, shares, strict=True)
            )
        return Tally(tuple(seconds))

    async def _flood(self, order: Flood) -> Tally:
        seconds: list[float] = []
        async with AsyncExitStack() as open_channels:
            channels = await self._channels(open_channels, order.address, order.connections)
            await _all_of(
                _sender(order, channel, seconds.append) for channel in channels for _ in range(order.in_flight)
            )
        return Tally(tuple(seconds))

    async def _connect(self, open_channels: AsyncExitStack, address: str, count: int) -> list[VaultServiceAsyncStub]:
        return [VaultServiceStub(channel) for channel in await self._channels(open_channels, address, count)]

    async def _channels(self, open_channels: AsyncExitStack, address: str, count: int) -> list[grpc.aio.Channel]:
        credentials = grpc.ssl_channel_credentials(root_certificates=self._authority_pem)
        channels = []
        for _ in range(count):
            channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
            await open_channels.enter_async_context(channel)
            await channel.channel_ready()
            channels.append(channel)
        return channels


async def _client(
    order: Run, stub: VaultServiceAsyncStub, accounts: Sequence[Account], note: Callable[[float], None]
) -> None:
    """One client after the other's account: a ceremony dies with any other of its record, so nobody else uses them."""
    for account in itertools.cycle(accounts):
        started_at = time.monotonic()
        if started_at >= order.ends_at:
            return
        if order.echo is None:
            await account.release(stub)
        else:
            await account.echo(stub, order.echo)
        ended_at = time.monotonic()
        if order.begins_at <= ended_at < order.ends_at:
            note(ended_at - started_at)


async def _sender(order: Flood, channel: grpc.aio.Channel, note: Callable[[float], None]) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(order.method)
    signed = order.token.rpartition(".")[0]
    pause = 0.0 if order.per_second is None else order.connections * order.in_flight / order.per_second
    while (started_at := time.monotonic()) < order.ends_at:
        token = f"{signed}.{secrets.token_urlsafe(64)}" if order.fresh_signatures else order.token
        code = await call(
            order.request, metadata=(("authorization", f"Bearer {token}"),), timeout=TIMEOUT_SECONDS
        ).code()
        ended_at = time.monotonic()
        if order.begins_at <= ended_at < order.ends_at:
            if code.name != order.code:
                raise WrongReply(f"{order.method}: {code.name} instead of {order.code}")
            note(ended_at - started_at)
        if pause:
            await asyncio.sleep(max(0.0, started_at + pause - ended_at))


async def _all_of(coroutines: Iterator[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)
