from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from strongroom_service.telemetry.metrics import KeeperCallKind, KeeperCallResult, RpcMethod
from strongroom_service.telemetry.otlp import OpenTelemetryTracing, TellingExporter, otlp_exporter
from strongroom_service.telemetry.spans import NO_SPAN
from tests.fakes.log import RecordingLog
from tests.fakes.otlp_collector import Collector

METHOD = RpcMethod("strongroom.v1.VaultService", "GetVault")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Bench:
    def __init__(self, *, sample_ratio: float = 1.0, chance: float = 0.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = OpenTelemetryTracing(
            self.exporter, version="0", sample_ratio=sample_ratio, chance=lambda: chance
        )

    def trace_of(self, *metadata: tuple[str, str | bytes]) -> tuple[int, int | None]:
        """Run an RPC; return its trace and parent."""
        self.tracing.start_rpc(METHOD, metadata).end("OK")
        self.tracing.close()
        [span] = self.exporter.get_finished_spans()
        assert span.context is not None
        return span.context.trace_id, span.parent.span_id if span.parent else None


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.tracing.close()


def test_traceparent_of_the_caller_is_the_parent(bench: Bench) -> None:
    assert bench.trace_of(("traceparent", f"00-{TRACE}-{SPAN}-01")) == (int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("traceparent", "00-of-nobody-01"),),
        (("traceparent", f"00-{TRACE}-{SPAN}-01"), ("traceparent", f"00-{TRACE}-{SPAN}-01")),
        (("traceparent", f"00-{TRACE}-{SPAN}-01".encode()),),
        (("traceparent", f"00-{'0' * 32}-{SPAN}-01"),),
    ],
)
def test_without_a_good_traceparent_a_trace_begins(bench: Bench, metadata: tuple[tuple[str, str | bytes], ...]) -> None:
    trace_id, parent = bench.trace_of(*metadata)
    assert (trace_id != int(TRACE, 16), parent) == (True, None)


@pytest.mark.parametrize("flags", ["00", "01"])
def test_caller_can_have_less_traced_and_not_more(flags: str) -> None:
    metadata = [("traceparent", f"00-{TRACE}-{SPAN}-{flags}")]
    above = Bench(sample_ratio=0.25, chance=0.25)
    assert above.tracing.start_rpc(METHOD, metadata) is NO_SPAN
    below = Bench(sample_ratio=0.25, chance=0.24)
    span = below.tracing.start_rpc(METHOD, metadata)
    span.end("OK")
    assert (span is NO_SPAN) == (flags == "00")
    for each in (above, below):
        each.tracing.close()


async def test_calls_to_keepers_are_told_within_an_rpc_alone(bench: Bench) -> None:
    async def rpc(*, ends_before: bool) -> None:
        span = bench.tracing.start_rpc(METHOD, ())
        if ends_before:
            span.end("CANCELLED")
        bench.tracing.start_keeper_call(KeeperCallKind.PROBE).end(KeeperCallResult.OK)
        bench.tracing.start_commit()
        if not ends_before:
            span.end("OK")

    assert bench.tracing.start_keeper_call(KeeperCallKind.PROBE) is NO_SPAN
    await asyncio.gather(rpc(ends_before=True), rpc(ends_before=False))
    bench.tracing.close()
    spans = bench.exporter.get_finished_spans()
    [call] = [span for span in spans if span.name == "keeper probe"]
    [finished] = [span for span in spans if span.attributes and span.attributes.get("rpc.response.status_code") == "OK"]
    assert call.parent == finished.context


def test_spans_that_a_collector_does_not_take_are_told_without_its_words() -> None:
    log = RecordingLog()
    with Collector() as collector:
        collector.status = HTTPStatus.BAD_REQUEST
        exporter = otlp_exporter(collector.endpoint, ca_file=None, log=log)
        tracing = OpenTelemetryTracing(exporter, version="0", sample_ratio=1.0)
        tracing.start_rpc(METHOD, ()).end("OK")
        tracing.close()
        assert len(collector.bodies) == 1
    assert log.lines == [("spans_lost", {"spans": 1})]


class Failing(SpanExporter):
    def __init__(self) -> None:
        self.tried = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.tried += 1
        return SpanExportResult.FAILURE


def test_collector_that_failed_is_left_alone_for_a_while() -> None:
    inner, log, now = Failing(), RecordingLog(), [0.0]
    exporter = TellingExporter(inner, log=log, clock=lambda: now[0])
    tried = []
    for now[0] in (0.0, 4.9, 5.0, 9.9, 10.0):
        exporter.export([])
        tried.append(inner.tried)
    assert (tried, log.events()) == ([1, 1, 2, 2, 3], ["spans_lost"] * 5)
