"""The server for browsers on real sockets: who is slow, who comes too often, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

import pytest

from deploy.development.vault_folder import free_ports
from strongroom_service.config.browser import Browser
from strongroom_service.config.vault_file import Limits
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.browser.server import BrowserServer
from strongroom_service.telemetry.browser_metrics import NotServed
from tests.fakes.browser import BrowserBench

HEALTH: Final = b"GET /health HTTP/1.1\r\nHost: vault\r\n\r\n"
CALL: Final = (
    b"POST /strongroom.v1.VaultService/GetVault HTTP/1.1\r\nHost: vault\r\nContent-Type: application/json\r\n"
    b"Connect-Timeout-Ms: 5000\r\nContent-Length: %d\r\n\r\n"
)
PATIENCE_SECONDS: Final = 20.0
BRIEF: Final = 0.3


class Served:
    """A server that listens, and connections to it."""

    def __init__(
        self, *, host: str = "127.0.0.1", limits: Limits | None = None, head_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.bench = BrowserBench()
        [self.port] = free_ports(1)
        self.server = BrowserServer(
            servicer=self.bench.servicer,
            browser=Browser.model_construct(host=host, port=self.port, plaintext=True),
            limits=limits or Limits(),
            context=None,
            allow_page=lambda _: False,
            is_ready=lambda: True,
            metrics=self.bench.browser_metrics,
            log=self.bench.log,
            head_seconds=head_seconds,
        )

        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = "::1" if ":" in address else "127.0.0.1"
        reader, writer = await asyncio.open_connection(host, self.port, local_addr=(address, 0))
        self._writers.append(writer)
        return reader, writer

    async def stop(self) -> None:
        await self.server.stop(grace_seconds=0)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def until_connections(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.connections() != count:  # noqa: ASYNC110  a gauge has no event
                await asyncio.sleep(0.01)

    def connections(self) -> float | None:
        return self.bench.metrics.registry.get_sample_value("strongroom_browser_connections")


@contextlib.asynccontextmanager
async def serving(
    *, host: str = "127.0.0.1", limits: Limits | None = None, head_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[Served]:
    served = Served(host=host, limits=limits, head_seconds=head_seconds)
    await served.server.start()
    try:
        yield served
    finally:
        await served.stop()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """Return the status line of an answer that says its length, and take all of it."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
    [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.partition(b"\r\n")[0]


async def read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the other side closed."""
    try:
        return await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)
    except ConnectionError:
        return b""


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte now and then, for as long as the other side lets us."""
    with contextlib.suppress(ConnectionError):
        for byte in data:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(BRIEF / 20)


async def test_connection_serves_one_request_after_the_other() -> None:
    async with serving() as served:
        reader, writer = await served.connect()
        for _ in range(3):
            writer.write(HEALTH)
            assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        writer.write(HEALTH * 3)
        for _ in range(3):
            assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        assert served.connections() == 1


async def test_all_addresses_are_those_of_both_kinds() -> None:
    async with serving(host="::") as served:
        for address in ("127.0.0.1", "::1"):
            reader, writer = await served.connect(address)
            writer.write(HEALTH)
            assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        assert served.connections() == 2


async def test_connection_that_says_nothing_is_closed() -> None:
    async with serving(head_seconds=BRIEF) as served:
        reader, _ = await served.connect()
        assert await read_to_the_end(reader) == b""
        assert served.bench.turned_away(NotServed.TOO_SLOW) == 0


@pytest.mark.parametrize("before", [b"", HEALTH], ids=["first request", "a later one"])
async def test_head_that_comes_byte_by_byte_is_not_waited_for(before: bytes) -> None:
    """Each byte would set back the time of a connection that is only idle."""
    async with serving(head_seconds=BRIEF) as served:
        reader, writer = await served.connect()
        if before:
            writer.write(before)
            assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        sending = asyncio.create_task(trickle(writer, b"GET /health HTTP/1.1\r\nX-Slow: " + b"x" * 1_000_000))
        assert await read_to_the_end(reader) == b""
        assert served.bench.turned_away(NotServed.TOO_SLOW) == 1
        sending.cancel()


async def test_rest_of_a_refused_request_is_not_waited_for() -> None:
    async with serving(head_seconds=BRIEF) as served:
        reader, writer = await served.connect()
        writer.write((CALL % 1_000_000).replace(b"application/json", b"text/plain"))
        assert await read_answer(reader) == b"HTTP/1.1 415 Unsupported Media Type"
        sending = asyncio.create_task(trickle(writer, b"x" * 1_000_000))
        assert await read_to_the_end(reader) == b""
        assert served.bench.turned_away(NotServed.TOO_SLOW) == 1
        sending.cancel()


async def test_refused_request_that_came_whole_leaves_an_idle_connection() -> None:
    async with serving(head_seconds=BRIEF) as served:
        reader, writer = await served.connect()
        writer.write((CALL % 10).replace(b"application/json", b"text/plain"))
        assert await read_answer(reader) == b"HTTP/1.1 415 Unsupported Media Type"
        writer.write(b"x" * 10)
        await asyncio.sleep(2 * BRIEF)
        writer.write(HEALTH)
        assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        assert served.bench.turned_away(NotServed.TOO_SLOW) == 0


async def test_idle_connection_is_kept_for_as_long_as_is_configured() -> None:
    """Control: nothing but what was begun is in a hurry."""
    async with serving(head_seconds=BRIEF) as served:
        reader, writer = await served.connect()
        writer.write(HEALTH)
        await read_answer(reader)
        await asyncio.sleep(2 * BRIEF)
        writer.write(HEALTH)
        assert await read_answer(reader) == b"HTTP/1.1 200 OK"


async def test_body_that_comes_byte_by_byte_is_not_waited_for() -> None:
    async with serving(limits=Limits(max_deadline_seconds=BRIEF), head_seconds=BRIEF) as served:
        reader, writer = await served.connect()
        writer.write(CALL % 100_000)
        sending = asyncio.create_task(trickle(writer, b"x" * 100_000))
        assert (await read_to_the_end(reader)).startswith(b"HTTP/1.1 504 ")
        assert served.bench.turned_away(NotServed.TOO_SLOW) == 2  # the body, then its rest
        sending.cancel()


async def test_old_connection_ends_with_its_next_answer_or_soon() -> None:
    limits = Limits(max_connection_age_seconds=BRIEF, max_connection_age_grace_seconds=BRIEF)
    async with serving(limits=limits) as served:
        reader, writer = await served.connect()
        writer.write(HEALTH)
        assert await read_answer(reader) == b"HTTP/1.1 200 OK"
        assert await read_to_the_end(reader) == b""
        reader, writer = await served.connect()
        writer.write(CALL % 10)  # under way as it gets old: its grace is all it has
        assert await read_to_the_end(reader) == b""


async def test_one_address_cannot_have_all_connections() -> None:
    """The fourth part is for others, as with slots; and what is given back can be had again."""
    limits = Limits(max_concurrent_calls=2)  # eight connections
    async with serving(limits=limits) as served:
        kept = []
        for _ in range(6):
            reader, writer = await served.connect()
            writer.write(HEALTH)
            assert await read_answer(reader) == b"HTTP/1.1 200 OK"
            kept.append(writer)
        refused, _ = await served.connect()
        assert await read_to_the_end(refused) == b""
        assert served.bench.turned_away(NotServed.TOO_MANY_CONNECTIONS) == 1
        other, other_writer = await served.connect("127.0.0.2")
        other_writer.write(HEALTH)
        assert await read_answer(other) == b"HTTP/1.1 200 OK"
        kept[0].close()
        await served.until_connections(6)
        again, again_writer = await served.connect()
        again_writer.write(HEALTH)
        assert await read_answer(again) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET / HTTP/11\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000,
        b"GET \xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_once_and_closed(said: bytes) -> None:
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(said)
        answer = await read_to_the_end(reader)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"uvicorn" not in answer.lower()
        assert served.bench.turned_away(NotServed.MALFORMED) == 1
        assert served.bench.log.lines == []


async def test_websocket_is_no_way_in() -> None:
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(HEALTH[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert await read_answer(reader) == b"HTTP/1.1 200 OK"


async def test_end_answers_what_was_begun_and_takes_nothing_new() -> None:
    async with serving() as served:
        idle, idle_writer = await served.connect()
        idle_writer.write(HEALTH)
        await read_answer(idle)
        reader, writer = await served.connect()
        writer.write((CALL % 2)[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"  # its body is asked for
        stopping = asyncio.create_task(served.server.stop(grace_seconds=PATIENCE_SECONDS))
        assert await read_to_the_end(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            await served.connect()
        writer.write(b"{}")
        answer = await read_to_the_end(reader)  # closed with its answer
        assert answer.startswith(b"\r\nHTTP/1.1 401 ")
        await stopping


async def test_end_waits_for_no_connection_that_only_half_asked() -> None:
    async with serving() as served:
        unsupported = (CALL % 10).replace(b"application/json", b"text/plain")
        for said in (b"", b"GET /hea", unsupported, b"no http\r\n\r\n", HEALTH, HEALTH + b"GET"):
            _, writer = await served.connect()
            writer.write(said)
        await served.until_connections(5)  # but for the one that spoke no HTTP
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            await served.server.stop(grace_seconds=PATIENCE_SECONDS)
        await served.until_connections(0)


async def test_address_in_use_is_told() -> None:
    served = Served()
    with socket.create_server(("127.0.0.1", served.port)), pytest.raises(Misconfigured, match="browser: cannot listen"):
        await served.server.start()
