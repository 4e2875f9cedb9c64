"""Every metric of the service, by name. Labels come from closed sets, never from what a caller sends.

RPC metrics have the names and label values of go-grpc-middleware, so that public dashboards and rules work unchanged.
Children are made at the start, at 0: a rate over a series that appears with its first event misses that event.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, unique

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from strongroom_service.domain.ceremonies import ORDERS, Operation
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.load import ShedBecause
from strongroom_service.domain.rates import RateScope
from strongroom_service.telemetry.keeper_metrics import KeeperMetrics

# 1 ms to 10 s; an edge at each latency that docs/operations names as an objective.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)

# Go's spelling of the status codes, by the names that Python's gRPC gives them.
GRPC_CODES = {
    "OK": "OK",
    "CANCELLED": "Canceled",
    "UNKNOWN": "Unknown",
    "INVALID_ARGUMENT": "InvalidArgument",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "PERMISSION_DENIED": "PermissionDenied",
    "RESOURCE_EXHAUSTED": "ResourceExhausted",
    "FAILED_PRECONDITION": "FailedPrecondition",
    "ABORTED": "Aborted",
    "OUT_OF_RANGE": "OutOfRange",
    "UNIMPLEMENTED": "Unimplemented",
    "INTERNAL": "Internal",
    "UNAVAILABLE": "Unavailable",
    "DATA_LOSS": "DataLoss",
    "UNAUTHENTICATED": "Unauthenticated",
}


UNATTEMPTED = ORDERS | {Operation.SWEEP, Operation.REGISTER}
"""Changes without an assertion that could be wrong."""


@unique
class KeeperCallKind(Enum):
    """Calls from front to keeper."""

    OPEN_VAULT = "open_vault"
    PROBE = "probe"
    DESCRIBE_SERVICE = "describe_service"
    DESCRIBE_RECORD = "describe_record"
    BEGIN = "begin"
    JUDGE = "judge"
    FULFIL = "fulfil"
    LIST_EVENTS = "list_events"
    LIST_TENANT_EVENTS = "list_tenant_events"


@unique
class KeeperCallResult(Enum):
    """How a call to a keeper ended."""

    OK = "ok"
    REFUSED = "refused"
    STALE = "stale"
    FAULT = "fault"
    UNAVAILABLE = "unavailable"


@unique
class Component(Enum):
    """What the front needs; without the counts of rates it still answers reads."""

    KEEPERS = "keepers"
    STORE = "store"
    RATES = "rates"


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """A method that is served: full service name, method name, kind as go-grpc-middleware calls it."""

    service: str
    method: str
    kind: str = "unary"


UNKNOWN_METHOD = RpcMethod("unknown", "unknown")
"""Stands for whatever name a caller makes up."""


class RpcMetrics:
    """The metrics of one method."""

    def __init__(self, *, started: Counter, handled: Mapping[str, Counter], seconds: Histogram) -> None:
        self._started = started
        self._handled = handled
        self._seconds = seconds

    def start(self) -> None:
        """Count a call that began."""
        self._started.inc()

    def handle(self, *, code: str, seconds: float) -> None:
        """Count a call that ended with `code`, a name of grpc.StatusCode, after `seconds`."""
        self._handled[code].inc()
        self._seconds.observe(seconds)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, *, version: str, rpc_methods: Iterable[RpcMethod]) -> None:
        # A creation time for each series would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it without annotations
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Info("strongroom_build", "Version of the service and of what runs it.", registry=self.registry)
        build.info({"version": version, "python_version": platform.python_version()})
        self._rpcs = self._make_rpcs((*rpc_methods, UNKNOWN_METHOD))
        self._make_decisions()
        self._make_keeper_calls()
        self.keepers = KeeperMetrics(self.registry)
        self.keepers_configured = self._gauge("strongroom_keepers_configured", "Keepers that there should be.")
        self.keepers_connected = self._gauge("strongroom_keepers_connected", "Keepers that answer this front.")
        self.keepers_memory_unlocked = self._gauge(
            "strongroom_keepers_memory_unlocked", "Keepers whose memory may be swapped out."
        )
        self.keepers_clock_held = self._gauge(
            "strongroom_keepers_clock_held",
            "Keepers that no longer follow their host's clock, which was set by too much.",
        )
        self.keepers_clock_untrusted = self._gauge(
            "strongroom_keepers_clock_untrusted", "Keepers that judge nothing, as their host's clock is not kept right."
        )
        self.single_user = self._gauge(
            "strongroom_single_user", "1 if front and keepers may share a user id, which is for development only."
        )
        self.clock_beyond_seconds = self._gauge(
            "strongroom_clock_beyond_tolerance_seconds",
            "How far the host's clock is ahead of (negative: behind) the time that the service goes by. 0 is good.",
        )
        self.configuration_failures = self._counter(
            "strongroom_configuration_reload_failures_total",
            "Times that changed configuration files were faulty, and those before stayed in use.",
        )
        self.configuration_loaded_at = self._gauge(
            "strongroom_configuration_last_load_timestamp_seconds", "When the configuration in use was read."
        )
        self.configuration_waiting = self._gauge(
            "strongroom_configuration_keys_waiting", "Keys of the vault's file that differ and wait for a restart."
        )
        name = "strongroom_tls_certificate_not_after_timestamp_seconds"
        self.certificate_ends_at = self._gauge(name, "When the one in use ends.", "role")
        self.checkpoint_made_at = self._gauge(
            "strongroom_checkpoint_timestamp_seconds", "When the newest checkpoint was written; 0 if there is none."
        )
        limited = self._counter(
            "strongroom_requests_limited_total", "Requests refused because of a rate, by whose it was.", "scope"
        )
        shed = self._counter(
            "strongroom_requests_shed_total",
            "Requests told to wait because too many were under way, by what there was too much of.",
            "reason",
        )
        self.requests_shed = {because: shed.labels(because.value) for because in ShedBecause}
        self.slots_in_use = self._gauge("strongroom_slots_in_use", "Calls under way, each in one slot.")
        self.requests_limited = {scope: limited.labels(scope.value) for scope in RateScope}
        self.stale_records = self._counter(
            "strongroom_stale_records_total",
            "Records rejected: older than a keeper has seen, altered, or of another account. An alarm.",
        )
        self.commit_seconds = Histogram(
            "strongroom_store_commit_seconds",
            "Time from handing a change to the store until it is durable.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.commit_batch_size = Histogram(
            "strongroom_store_commit_batch_size",
            "Changes that one durable transaction took.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        ready = self._gauge("strongroom_ready", "1 if the component is fit to serve.", "component")
        self._ready = {component: ready.labels(component.value) for component in Component}

    def rpc(self, *, service: str, method: str) -> RpcMetrics:
        """Return the metrics of a method; those of `unknown` for a name that is not served."""
        return self._rpcs.get((service, method)) or self._rpcs[UNKNOWN_METHOD.service, UNKNOWN_METHOD.method]

    def judge(self, operation: Operation, outcome: Outcome) -> None:
        """Count how a change was decided, once it is committed."""
        self._judged[operation, outcome].inc()
        if operation not in UNATTEMPTED:
            self._attempts[outcome].inc()
        if outcome is Outcome.EXHAUSTED:
            self._exhaustions.inc()
        if operation is Operation.RESET and outcome is Outcome.GRANTED:
            self._resets.inc()

    def refuse(self, reason: Reason) -> None:
        """Count a completion that was refused, or that a fault ended, by what the caller was told."""
        self._refusals[reason].inc()

    def call_keeper(self, *, call: KeeperCallKind, result: KeeperCallResult, seconds: float) -> None:
        """Count one call to a keeper, which took `seconds`."""
        self._keeper_calls[call, result].inc()
        self._keeper_seconds[call].observe(seconds)

    def set_ready(self, component: Component, *, ready: bool) -> None:
        """Tell whether `component` is fit to serve."""
        self._ready[component].set(int(ready))

    def _make_rpcs(self, methods: tuple[RpcMethod, ...]) -> dict[tuple[str, str], RpcMetrics]:
        names = ("grpc_type", "grpc_service", "grpc_method")
        started = self._counter("grpc_server_started_total", "RPCs begun.", *names)
        handled = self._counter("grpc_server_handled_total", "RPCs ended, by status code.", *names, "grpc_code")
        seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time that RPCs took in the server.",
            names,
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        rpcs = {}
        for rpc in methods:
            values = (rpc.kind, rpc.service, rpc.method)
            rpcs[rpc.service, rpc.method] = RpcMetrics(
                started=started.labels(*values),
                handled={name: handled.labels(*values, code) for name, code in GRPC_CODES.items()},
                seconds=seconds.labels(*values),
            )
        return rpcs

    def _make_decisions(self) -> None:
        judged = self._counter(
            "strongroom_judged_total",
            "Changes by how they were decided, once committed. outcome exhausted and refused (a right signature against"
            " the policy) are alarms.",
            "operation",
            "outcome",
        )
        self._judged: dict[tuple[Operation, Outcome], Counter] = {
            (operation, outcome): judged.labels(operation.value, outcome.value)
            for operation in Operation
            if operation is not Operation.ATTEST
            for outcome in Outcome
        }
        attempts = self._counter(
            "strongroom_attempts_total", "Judged attempts, once committed: changes that somebody signed for.", "outcome"
        )
        self._attempts = {outcome: attempts.labels(outcome.value) for outcome in Outcome}
        self._exhaustions = self._counter("strongroom_exhaustions_total", "Records that used up their budget.")
        self._resets = self._counter("strongroom_resets_total", "Vaults that were begun anew with a reset token.")
        refusals = self._counter(
            "strongroom_refusals_total",
            "Completions without what they asked for, by what the caller was told.",
            "reason",
        )
        self._refusals = {reason: refusals.labels(reason.value.lower()) for reason in Reason}

    def _make_keeper_calls(self) -> None:
        calls = self._counter("strongroom_keeper_calls_total", "Calls to keepers.", "call", "result")
        seconds = Histogram(
            "strongroom_keeper_call_seconds",
            "Time that calls to keepers took, waiting for one that is free included.",
            ["call"],
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._keeper_calls = {
            (call, result): calls.labels(call.value, result.value)
            for call in KeeperCallKind
            for result in KeeperCallResult
        }
        self._keeper_seconds = {call: seconds.labels(call.value) for call in KeeperCallKind}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
