from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply, OpenVaultReply
from strongroom_service.application.rows import RecordRow
from strongroom_service.domain.errors import (
    Fault,
    KeeperUnavailable,
)
from strongroom_service.link.frames import MAX_FRAME_BYTES, FrameReader, encode_frame
from strongroom_service.link.keeper_link import LinkTimes
from tests.fakes.log import RecordingLog
from tests.integration.link.pools import CALLER, IMPATIENT, Switch, both_in_use, pool_over, started, told
from tests.integration.link.support import eventually, toy_keeper


async def test_calls_made_together_each_get_their_own_answer(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path)) as pool:
            assert await asyncio.gather(*(told(pool) for _ in range(100))) == [keeper.pid] * 100
            await pool.probe()
            assert pool.ready
            assert pool.id_key.value == b"k" * 32
            assert "kkk" not in repr(pool.id_key)


def test_the_fast_event_loop_serves_as_well(tmp_path: Path) -> None:
    uvloop.run(test_calls_made_together_each_get_their_own_answer(tmp_path))


async def test_a_killed_keeper_fails_its_calls_and_its_successor_is_used(tmp_path: Path) -> None:
    path, ready = tmp_path / "one.sock", Switch()
    with toy_keeper(path) as keeper:
        pool = pool_over(path, ready=ready)
        await pool.start()
        hanging = [asyncio.create_task(told(pool, "hang")) for _ in range(3)]
        await eventually(keeper.file("hanging").exists, "the keeper hangs")
        keeper.process.kill()
        await eventually(lambda: all(call.done() for call in hanging), "every call has come to its end")
        assert [type(call.exception()) for call in hanging] == [KeeperUnavailable] * 3
        with pytest.raises(KeeperUnavailable):
            await told(pool)
        assert not pool.ready
    with toy_keeper(path) as successor:
        await eventually(lambda: pool.ready, "the successor is in use")
        assert await told(pool) == successor.pid
        await pool.close()
    assert ready.heard == [True, False, True, False]


async def test_a_hung_keeper_costs_its_own_calls_only(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path, times=IMPATIENT)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            os.kill(one.pid, signal.SIGSTOP)
            outcomes = await asyncio.gather(*(told(pool) for _ in range(20)), return_exceptions=True)
            answered = [outcome for outcome in outcomes if outcome == two.pid]
            failed = [outcome for outcome in outcomes if isinstance(outcome, KeeperUnavailable)]
            assert len(answered) == len(failed) == 10  # evenly shared, as nobody knew
            assert {await told(pool) for _ in range(20)} == {two.pid}
            assert pool.ready


async def test_calls_avoid_a_busy_keeper(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            waiting = asyncio.create_task(told(pool, "gate"))
            await eventually(lambda: one.file("waiting").exists() or two.file("waiting").exists(), "one is busy")
            busy, idle = (one, two) if one.file("waiting").exists() else (two, one)
            assert {await told(pool) for _ in range(20)} == {idle.pid}
            busy.file("go").touch()
            assert await waiting == busy.pid


async def test_a_caller_who_hangs_up_leaves_the_connection_whole(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path)) as pool:
            call = asyncio.create_task(told(pool, "gate"))
            await eventually(keeper.file("waiting").exists, "the call is in hand")
            call.cancel()
            keeper.file("go").touch()
            assert await told(pool) == keeper.pid
            assert await told(pool, "opened") == 1


async def test_a_call_too_large_for_a_frame_is_a_fault_of_its_own(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path)) as pool:
            row = RecordRow(record_id=b"r" * 32, version=1, sealed=bytes(MAX_FRAME_BYTES))
            with pytest.raises(Fault, match="does not fit"):
                await pool.describe_record(CALLER, nonce=b"", row=row)
            assert await told(pool, "opened") == 1


async def test_an_unwell_keeper_is_not_ready_until_it_recovers(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path)) as pool:
            keeper.file("unwell").touch()
            await eventually(lambda: not pool.ready, "the probe fails")
            assert await told(pool) == keeper.pid  # better than nothing while there is no other
            keeper.file("unwell").unlink()
            await eventually(lambda: pool.ready, "the probe succeeds")


async def test_calls_avoid_an_unwell_keeper(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            one.file("unwell").touch()
            await eventually(lambda: not all(link.healthy for link in pool._links), "it is unwell")  # noqa: SLF001
            assert pool.ready
            assert {await told(pool) for _ in range(10)} == {two.pid}


Script = Callable[[KeeperCall], bytes]


@asynccontextmanager
async def scripted_keeper(path: Path, answer: Script) -> AsyncIterator[None]:
    """A server that opens the vault and then says whatever the test wants."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        while data := await reader.read(65536):
            for call in map(KeeperCall.FromString, frames.feed(data)):
                opened = KeeperReply(call_id=call.call_id, open_vault=OpenVaultReply(id_key=b"k" * 32))
                first = call.WhichOneof("call") == "open_vault"
                writer.write(encode_frame(opened.SerializeToString()) if first else answer(call))
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: b"GET / HTTP/1.1\r\n", id="no frame"),
        pytest.param(lambda _: encode_frame(b"\xff" * 9), id="no message"),
        pytest.param(
            lambda call: encode_frame(KeeperReply(call_id=call.call_id + 1).SerializeToString()), id="unasked"
        ),
    ],
)
async def test_a_reply_that_breaks_the_rules_ends_the_connection(tmp_path: Path, answer: Script) -> None:
    path = tmp_path / "one.sock"
    log = RecordingLog()
    pool = pool_over(path, times=LinkTimes(probe_interval_seconds=60.0), log=log)
    async with scripted_keeper(path, answer), started(pool):
        with pytest.raises(KeeperUnavailable):
            await pool.probe()
        await eventually(lambda: log.events().count("keeper_opened") == 2, "the pool has connected again")


async def test_closing_fails_calls_under_way(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        pool = pool_over(keeper.path)
        await pool.start()
        call = asyncio.create_task(told(pool, "hang"))
        await eventually(keeper.file("hanging").exists, "the keeper hangs")
        await pool.close()
        with pytest.raises(KeeperUnavailable):
            await call
        assert not pool.ready
