from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc.aio
import pytest

from strongroom_service.domain.errors import KeeperUnavailable, Reason, RecordRejected, Refusal
from strongroom_service.domain.rates import Window
from strongroom_service.front.guard import RPC_METHODS, Call, Guard
from strongroom_service.front.rates import Rates
from strongroom_service.telemetry.metrics import Metrics
from tests.fakes.grpc_context import Aborted, FakeContext
from tests.fakes.log import RecordingLog
from tests.fakes.rates import FakeRateStore, FakeSeconds, make_rates

SERVICE, METHOD = "strongroom.v1.VaultService", "ReleaseEnvelope"
LABELS = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": METHOD}


class Bench:
    def __init__(
        self,
        *,
        max_deadline_seconds: float = 10.0,
        max_concurrent_calls: int = 2,
        rates: Rates | None = None,
    ) -> None:
        self.metrics = Metrics(version="0", rpc_methods=RPC_METHODS)
        self.log = RecordingLog()
        self.guard = Guard(
            rates=rates or make_rates(),
            metrics=self.metrics,
            log=self.log,
            max_deadline_seconds=max_deadline_seconds,
            max_concurrent_calls=max_concurrent_calls,
        )

    async def run(self, answer: Callable[[Call], Awaitable[str]], context: FakeContext | None = None) -> str:
        asked = cast("grpc.aio.ServicerContext[Any, str]", context or FakeContext())
        return await self.guard.run(SERVICE, METHOD, asked, answer)

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def handled(self, code: str) -> float | None:
        return self.count("grpc_server_handled_total", **LABELS, grpc_code=code)

    def all_refused(self) -> float:
        return sum(self.refused(reason.value.lower()) or 0 for reason in Reason)

    def refused(self, reason: str) -> float | None:
        return self.count("strongroom_refusals_total", reason=reason)


async def answer(call: Call) -> str:
    return f"answer to {call.request_id}"


def raising(error: BaseException) -> Callable[[Call], Awaitable[str]]:
    async def raise_it(_: Call) -> str:
        raise error

    return raise_it


async def ended(bench: Bench, error: BaseException) -> FakeContext:
    context = FakeContext()
    with pytest.raises(Aborted):
        await bench.run(raising(error), context)
    return context


async def test_answer_goes_out_with_its_request_id_and_one_line() -> None:
    bench, context = Bench(), FakeContext()
    assert await bench.run(answer, context) == "answer to r-1"
    assert context.trailers == {"x-request-id": "r-1"}
    [(event, fields)] = bench.log.lines
    assert (event, fields["method"], fields["code"]) == ("rpc", METHOD, "OK")
    assert (bench.handled("OK"), bench.all_refused()) == (1, 0)


async def test_refusal_goes_out_as_its_status_and_is_counted() -> None:
    bench = Bench()
    context = await ended(bench, Refusal(Reason.NOT_VERIFIED, detail="wrong origin"))
    assert (context.code, context.text) == (grpc.StatusCode.PERMISSION_DENIED, "The passkey was not verified.")
    assert context.trailers["x-request-id"] == "r-1"
    assert b"NOT_VERIFIED" in cast("bytes", context.trailers["grpc-status-details-bin"])
    [(_, fields)] = bench.log.lines
    assert (fields["reason"], fields["why"]) == ("NOT_VERIFIED", "wrong origin")
    assert (bench.handled("PermissionDenied"), bench.refused("not_verified")) == (1, 1)


async def test_error_of_nobody_tells_nothing_to_anybody() -> None:
    bench = Bench()
    context = await ended(bench, ValueError("hunter2"))
    assert (context.code, context.text) == (grpc.StatusCode.INTERNAL, "Internal error.")
    assert "hunter2" not in str(context.trailers)
    assert "hunter2" not in str(bench.log.lines)
    assert bench.handled("Internal") == 1


async def test_rejected_record_raises_the_alarm() -> None:
    bench = Bench()
    await ended(bench, KeeperUnavailable("gone"))
    assert bench.count("strongroom_stale_records_total") == 0
    await ended(bench, RecordRejected("went back"))
    assert bench.count("strongroom_stale_records_total") == 1


async def test_call_without_a_deadline_is_not_begun() -> None:
    bench, context = Bench(), FakeContext(remaining=None)
    with pytest.raises(Aborted):
        await bench.run(raising(AssertionError("begun")), context)
    assert context.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_longer_deadline_counts_as_the_longest_granted() -> None:
    bench, context = Bench(max_deadline_seconds=0.01), FakeContext(remaining=3_600.0)

    async def never(_: Call) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(Aborted):
        await bench.run(never, context)
    assert b"OUTCOME_UNKNOWN" in cast("bytes", context.trailers["grpc-status-details-bin"])


async def test_call_above_the_ceiling_is_told_to_wait_and_the_others_go_on() -> None:
    bench, may_end = Bench(max_concurrent_calls=2), asyncio.Event()

    async def wait(_: Call) -> str:
        await may_end.wait()
        return "done"

    running = [asyncio.create_task(bench.run(wait)) for _ in range(2)]
    await asyncio.sleep(0)
    context = FakeContext()
    with pytest.raises(Aborted):
        await bench.run(answer, context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    idle = asyncio.create_task(bench.guard.wait_until_idle())
    await asyncio.sleep(0.02)
    assert not idle.done()
    may_end.set()
    assert await asyncio.gather(*running) == ["done", "done"]
    await idle
    assert await bench.run(answer) == "answer to r-1"


async def test_peer_above_its_rate_is_told_to_wait_before_its_token_is_looked_at() -> None:
    bench = Bench(rates=make_rates(peer=Window(count=1, seconds=60)))
    await ended(bench, Refusal(Reason.TOKEN_REJECTED))
    context = FakeContext()
    with pytest.raises(Aborted):
        await bench.run(raising(AssertionError("begun")), context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert b"RATE_LIMITED" in cast("bytes", context.trailers["grpc-status-details-bin"])
    assert bench.refused("rate_limited") == 1


async def test_release_is_not_begun_while_nobody_can_count() -> None:
    store = FakeRateStore(FakeSeconds())
    store.down = True
    bench, context = Bench(rates=make_rates(store)), FakeContext()
    with pytest.raises(Aborted):
        await bench.run(raising(AssertionError("begun")), context)
    assert context.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("remaining", "code"), [(2.0, "Canceled"), (0.0, "DeadlineExceeded")])
async def test_call_given_up_by_its_caller_is_counted_but_decides_nothing(remaining: float, code: str) -> None:
    bench, context = Bench(), FakeContext(remaining=remaining)
    with pytest.raises(asyncio.CancelledError):
        await bench.run(raising(asyncio.CancelledError()), context)
    assert (bench.handled(code), bench.all_refused()) == (1, 0)


async def test_every_method_has_its_metrics_from_the_start() -> None:
    bench = Bench()
    for method in RPC_METHODS:
        labels = {**LABELS, "grpc_service": method.service, "grpc_method": method.method}
        assert bench.count("grpc_server_started_total", **labels) == 0
    assert len(RPC_METHODS) == 18
