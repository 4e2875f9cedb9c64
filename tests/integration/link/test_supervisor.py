from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from strongroom_service.application.keepers import Caller
from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.errors import KeeperUnavailable
from strongroom_service.link.keeper_client import KeeperPool
from strongroom_service.link.keeper_link import LinkTimes
from tests.fakes.log import RecordingLog
from tests.fakes.metrics import make_metrics
from tests.integration.link.serving import SLEEPER, Serve, Serving, child, gate, listening
from tests.integration.link.support import (
    PATIENCE_SECONDS,
    do,
    opened_client,
    until,
)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_keepers_start_before_the_front(serve: Serve) -> None:
    serving = serve()
    serving.await_pids("front", 1)
    assert [name for event, name in serving.events() if event == "child_started"] == ["one", "two", "front"]


def test_a_dead_child_is_replaced_and_the_others_stay(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one", "two")
    for name in ("one", "front"):
        os.kill(serving.await_pids(name, 1)[0], signal.SIGKILL)
        first, second = serving.await_pids(name, 2)
        assert first != second
        assert not alive(first)
    assert len(serving.pids("two")) == 1
    assert {line["code"] for line in serving.lines("child_ended")} == {-signal.SIGKILL}


def test_a_stopped_child_is_killed_for_its_silence_and_replaced(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one", "two")
    os.kill(serving.pids("one")[0], signal.SIGSTOP)
    first, _ = serving.await_pids("one", 2)
    assert not alive(first)
    assert [line["pid"] for line in serving.lines("child_silent")] == [first]
    assert len(serving.pids("two")) == len(serving.pids("front")) == 1  # control: those that beat are left alone


def test_a_keeper_that_hangs_in_a_call_is_killed_for_its_silence(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one")
    with opened_client(serving.folder / "one.sock") as client:
        assert client.ask(do("hang")) is None
    serving.await_pids("one", 2)


def test_a_child_that_never_beats_is_given_its_time_to_start_only(serve: Serve) -> None:
    serving = serve(keepers=[child("mute", SLEEPER, start_timeout_seconds=0.3)])
    first, _ = serving.await_pids("mute", 2)
    assert serving.lines("child_silent")[0]["pid"] == first


async def test_service_goes_on_with_the_other_keeper_while_one_is_replaced(serve: Serve) -> None:
    serving = serve()

    async def load() -> VaultRow:
        return VaultRow(version=1, sealed=b"vault")

    async def commit(row: VaultRow) -> None:
        raise AssertionError(row)

    async def told(pool: KeeperPool) -> int:
        return int((await pool.describe_service(Caller(account_token="t", request_id="r"), nonce=b"pid")).reply)

    pool = KeeperPool(
        paths=[serving.folder / "one.sock", serving.folder / "two.sock"],
        load_vault=load,
        commit_vault=commit,
        times=LinkTimes(call_timeout_seconds=1.0, probe_interval_seconds=0.2),
        metrics=make_metrics().keepers,
        log=RecordingLog(),
        on_ready=lambda _: None,
    )
    await pool.start()
    one, two = serving.pids("one")[0], serving.pids("two")[0]
    seen: set[int] = set()

    async def both_answer() -> None:
        while not {one, two} <= seen:
            seen.update(await concurrently(told, pool))

    await both_answer()
    os.kill(one, signal.SIGSTOP)
    replaced: set[int] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not replaced - {one, two}:
        assert time.monotonic() < deadline
        answers = await concurrently(told, pool)
        assert answers  # at no time did both fail
        replaced.update(answers)
    assert pool.ready
    assert not alive(one)
    await pool.close()


async def concurrently(told: Callable[[KeeperPool], Any], pool: KeeperPool) -> set[int]:
    outcomes = await asyncio.gather(*(told(pool) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(outcome, int | KeeperUnavailable) for outcome in outcomes)
    return {outcome for outcome in outcomes if isinstance(outcome, int)}


def test_early_deaths_are_followed_by_longer_and_longer_waits(serve: Serve) -> None:
    serving = serve(keepers=[child("weak", ["/bin/false"])], backoff_first_seconds=0.01, backoff_most_seconds=0.05)
    until(lambda: len(serving.lines("child_vacant")) >= 5, "it died five times")
    waits = [line["seconds"] for line in serving.lines("child_vacant")]
    assert waits[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_a_grown_child_is_replaced_at_once(serve: Serve) -> None:
    serving = serve(grown_seconds=0.0)
    os.kill(serving.await_pids("one", 1)[0], signal.SIGKILL)
    serving.await_pids("one", 2)
    assert [line["seconds"] for line in serving.lines("child_vacant")] == [0.0]


def test_a_fatal_configuration_ends_all_and_is_not_tried_again(serve: Serve) -> None:
    serving = serve(keepers=[child("unfit", ["/bin/sh", "-c", "exit 78"])], front=child("front", SLEEPER))
    assert serving.exit_code() == 78
    assert len(serving.pids("unfit")) == 1
    assert not any(alive(pid) for pid in serving.pids("front"))


def test_sigterm_lets_the_front_drain_while_keepers_still_answer(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one", "two")
    serving.await_pids("front", 1)
    until(lambda: beats(serving), "the front beats")
    serving.process.terminate()
    until((serving.folder / "front.draining").exists, "the front drains")
    with opened_client(serving.folder / "one.sock") as client:
        reply = client.ask(do("pid"))
        assert reply is not None
        assert int(reply.signed.reply) == serving.pids("one")[0]
    assert serving.lines("child_ended") == []
    Path(gate(serving.folder)).touch()
    assert serving.exit_code() == 0
    ended = [name for event, name in serving.events() if event == "child_ended"]
    assert ended[0] == "front"
    assert sorted(ended[1:]) == ["one", "two"]
    assert {line["code"] for line in serving.lines("child_ended")} == {0}
    assert "child_killed" not in {event for event, _ in serving.events()}


def beats(serving: Serving) -> bool:
    """Whether the front handles SIGTERM: its handler is in place before its first beat."""
    status = Path(f"/proc/{serving.pids('front')[0]}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_front_that_does_not_drain_in_time_is_killed(serve: Serve) -> None:
    serving = serve(drain_seconds=0.2)
    listening(serving, "one", "two")
    until(lambda: serving.pids("front") and beats(serving), "the front beats")
    serving.process.send_signal(signal.SIGINT)
    assert serving.exit_code() == 0
    assert [line["child"] for line in serving.lines("child_killed")] == ["front"]


def test_asking_twice_changes_nothing(serve: Serve) -> None:
    serving = serve()
    until(lambda: serving.pids("front") and beats(serving), "the front beats")
    serving.process.terminate()
    until((serving.folder / "front.draining").exists, "the front drains")
    serving.process.terminate()
    Path(gate(serving.folder)).touch()
    assert serving.exit_code() == 0


def test_nobody_outlives_a_killed_parent(serve: Serve) -> None:
    serving = serve()
    listening(serving, "one", "two")
    children = [serving.await_pids(name, 1)[0] for name in ("one", "two", "front")]
    assert all(map(alive, children))
    serving.process.kill()
    serving.process.wait(timeout=PATIENCE_SECONDS)
    until(lambda: not any(map(alive, children)), "all children end")
