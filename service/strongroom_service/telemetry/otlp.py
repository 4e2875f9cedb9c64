"""Spans by OpenTelemetry, sent to a collector by OTLP over HTTP. Only imported where `[tracing]` says so.

What is traced is decided here, by chance, before OpenTelemetry is asked: an RPC that is not costs next to nothing, and
no caller can have more of theirs traced than others have.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Final, Protocol

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from strongroom_service.telemetry.spans import NO_SPAN, CommitResult, NoSpan

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.telemetry.metrics import KeeperCallKind, KeeperCallResult, RpcMethod

_NAME: Final = "strongroom"
_TRACEPARENT: Final = "traceparent"
_SEND_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 5.0
# What a server has to answer for, by OpenTelemetry's conventions for gRPC.
_SERVER_FAILED: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)

_rpc_span: ContextVar[trace.Span | None] = ContextVar("_rpc_span", default=None)


class Log(Protocol):
    """Structured lines."""

    def error(self, event: str, **fields: object) -> object:
        """Write a line that an operator should see."""


class OpenTelemetryTracing:
    """Implements `spans.Tracing`."""

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        version: str,
        sample_ratio: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """A share of `sample_ratio` of the RPCs is traced; less where callers say that theirs are not to be."""
        # Neither environment nor host: what a trace tells of us is this.
        resource = Resource({"service.name": _NAME, "service.version": version})
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_NAME)
        self._propagator = TraceContextTextMapPropagator()
        self._sample_ratio = sample_ratio
        self._chance = chance

    def start_rpc(self, method: RpcMethod, metadata: Iterable[tuple[str, str | bytes]]) -> _RpcSpan | NoSpan:
        """See the port."""
        if self._chance() >= self._sample_ratio:
            return NO_SPAN
        context = self._context_of(metadata)
        parent = trace.get_current_span(context).get_span_context()
        if parent.is_valid and not parent.trace_flags.sampled:
            return NO_SPAN
        span = self._tracer.start_span(
            f"{method.service}/{method.method}",
            context=context,
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": method.service, "rpc.method": method.method},
        )
        return _RpcSpan(span, _rpc_span.set(span))

    def start_keeper_call(self, call: KeeperCallKind) -> _Span | NoSpan:
        """See the port."""
        return self._start_within_rpc(f"keeper {call.value}", {"strongroom.keeper.call": call.value})

    def start_commit(self) -> _Span | NoSpan:
        """See the port."""
        return self._start_within_rpc("commit", {})

    def close(self) -> None:
        """Send what is left, and end. Takes some seconds if nobody takes it."""
        self._provider.shutdown()

    def _context_of(self, metadata: Iterable[tuple[str, str | bytes]]) -> Context:
        values = [value for key, value in metadata if key == _TRACEPARENT and isinstance(value, str)]
        # No tracestate: it is any text, and would be sent on.
        carrier = {_TRACEPARENT: values[0]} if len(values) == 1 else {}
        return self._propagator.extract(carrier, context=Context())

    def _start_within_rpc(self, name: str, attributes: dict[str, str]) -> _Span | NoSpan:
        parent = _rpc_span.get()
        if parent is None:
            return NO_SPAN
        context = trace.set_span_in_context(parent, Context())
        kind = trace.SpanKind.CLIENT
        return _Span(self._tracer.start_span(name, context=context, kind=kind, attributes=attributes))


class _RpcSpan:
    def __init__(self, span: trace.Span, outer: Token[trace.Span | None]) -> None:
        self._span = span
        self._outer = outer

    def end(self, code: str) -> None:
        _rpc_span.reset(self._outer)
        self._span.set_attribute("rpc.response.status_code", code)
        if code in _SERVER_FAILED:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def end(self, result: KeeperCallResult | CommitResult) -> None:
        self._span.set_attribute("strongroom.result", result.value)
        self._span.end()


class TellingExporter(SpanExporter):
    """Sends by another one, whose failures it tells in our words: its own hold what the collector answered.

    After a failure nothing is sent for a while: a queue of batches, each with its own timeout, would hold up our end.
    """

    def __init__(self, exporter: SpanExporter, *, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter = exporter
        self._log = log
        self._clock = clock
        self._resumes_at = clock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that does not get through is lost."""
        result = SpanExportResult.FAILURE
        if self._clock() >= self._resumes_at:
            result = self._exporter.export(spans)
            if result is not SpanExportResult.SUCCESS:
                self._resumes_at = self._clock() + _PAUSE_SECONDS
        if result is not SpanExportResult.SUCCESS:
            self._log.error("spans_lost", spans=len(spans))
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()


def otlp_exporter(endpoint: str, *, ca_file: Path | None, log: Log) -> SpanExporter:
    """Return what sends spans to `endpoint`, a collector's whole URL for traces."""
    for name in ("opentelemetry", "urllib3"):
        library = logging.getLogger(name)
        library.addHandler(logging.NullHandler())
        library.propagate = False
    session = requests.Session()
    session.trust_env = False  # neither proxies nor credentials from the environment or a .netrc
    exporter = OTLPSpanExporter(
        endpoint=endpoint,
        certificate_file=None if ca_file is None else str(ca_file),
        timeout=_SEND_SECONDS,
        session=session,
    )
    return TellingExporter(exporter, log=log)
