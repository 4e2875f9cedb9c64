"""A load generator: a process of its own, so that what clients cost is not counted. Any error ends it, and the bench.

It makes its accounts once and keeps them; after that each `Run` is one point or one round of a point.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import uvloop

from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.bench.account import TIMEOUT_SECONDS, Account, Exchange, WrongReply
from tests.bench.openbao_client import OpenBaoClient
from tests.bench.orders import Adopt, Answer, Enroll, Failed, Flood, Order, Run, Steps, Tally, Walk

if TYPE_CHECKING:
    from strongroom.v1.vault_service_pb2_grpc import VaultServiceAsyncStub

_ENROLL_AT_ONCE: Final = 16
# Each client has its own connection, as clients do; without this gRPC would share one.
_CHANNEL_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


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
            case Adopt():
                return self._adopt(order)
            case Run():
                return await self._run(order)
            case Walk():
                return await self._walk(order)
            case Steps():
                return await _steps(order)
            case Flood():
                return await self._flood(order)

    async def _enroll(self, order: Enroll) -> Exchange:
        self._authority_pem = order.authority_pem
        self._accounts = [Account.fresh(token=token, rp_id=order.rp_id, origin=order.origin) for token in order.tokens]
        async with AsyncExitStack() as open_channels:
            (stub,) = await self._connect(open_channels, order.address, 1)
            transport_key = await self._accounts[0].transport_key(stub)
            waiting = iter(self._accounts)

            async def enroll_next() -> None:
                for account in waiting:
                    await account.enroll(stub, transport_key)

            await _all_of(enroll_next() for _ in range(_ENROLL_AT_ONCE))
            return await self._accounts[0].release(stub)

    def _adopt(self, order: Adopt) -> Tally:
        self._authority_pem = order.authority_pem
        self._accounts = [order.made.account(number, token=token) for number, token in order.accounts]
        return Tally(())

    async def _run(self, order: Run) -> Tally:
        seconds: list[float] = []
        async with AsyncExitStack() as open_channels:
            stubs = await self._connect(open_channels, order.address, order.clients)
            if order.per_second is not None:
                await arrivals(order, stubs, self._accounts, seconds.append)
                return Tally(tuple(seconds))
            shares = (self._accounts[index :: order.clients] for index in range(order.clients))
            await _all_of(
                _client(order, stub, share, seconds.append) for stub, share in zip(stubs, shares, strict=True)
            )
        return Tally(tuple(seconds))

    async def _walk(self, order: Walk) -> Tally:
        seconds: list[float] = []
        waiting = iter(self._accounts[order.first : order.last])

        async def release_next(stub: VaultServiceAsyncStub) -> None:
            for account in waiting:
                started_at = time.monotonic()
                await account.release(stub)
                seconds.append(time.monotonic() - started_at)

        async with AsyncExitStack() as open_channels:
            stubs = await self._connect(open_channels, order.address, order.clients)
            await _all_of(release_next(stub) for stub in stubs)
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


async def arrivals(
    order: Run, stubs: Sequence[VaultServiceAsyncStub], accounts: Sequence[Account], note: Callable[[float], None]
) -> None:
    """Begin releases by chance; latency counts from when one was due: a generator that is late makes it no better."""
    if order.per_second is None:
        raise ValueError(order)
    chance = random.Random()

    async def release(account: Account, stub: VaultServiceAsyncStub, *, due_at: float) -> None:
        await account.release(stub)
        ended_at = time.monotonic()
        if order.begins_at <= ended_at < order.ends_at:
            note(ended_at - due_at)

    due_at = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for account, stub in zip(itertools.cycle(accounts), itertools.cycle(stubs), strict=False):
            due_at += chance.expovariate(order.per_second)
            if due_at >= order.ends_at:
                return
            await asyncio.sleep(due_at - time.monotonic())
            group.create_task(release(account, stub, due_at=due_at))


async def _steps(order: Steps) -> Tally:
    seconds: list[float] = []

    async def client(number: int) -> None:
        async with OpenBaoClient.connected(order.prepared) as bao:
            for key in order.prepared.keys_from(number):
                started_at = time.monotonic()
                if started_at >= order.ends_at:
                    return
                await bao.three_steps(key)
                ended_at = time.monotonic()
                if order.begins_at <= ended_at < order.ends_at:
                    seconds.append(ended_at - started_at)

    await _all_of(client(number) for number in range(order.clients))
    return Tally(tuple(seconds))


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
