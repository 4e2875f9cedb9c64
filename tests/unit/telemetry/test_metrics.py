from __future__ import annotations

import re
import subprocess

import pytest
from prometheus_client import generate_latest

from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.rates import RateScope
from strongroom_service.telemetry.metrics import (
    Component,
    KeeperCallKind,
    KeeperCallResult,
    Metrics,
    RpcMethod,
)

SERVICE = "strongroom.v1.VaultService"
OPERATIONS = (
    "GetServiceInfo GetVault BeginCeremony CompleteRegistration StoreEnvelope ReleaseEnvelope AddCredential"
    " RemoveCredential SetRecovery Reopen LiftQuarantine SetPolicy DeleteVault ResetVault ListEvents"
)
METHODS = (
    *(RpcMethod(SERVICE, name) for name in OPERATIONS.split()),
    RpcMethod("grpc.health.v1.Health", "Check"),
    RpcMethod("grpc.health.v1.Health", "Watch", "server_stream"),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", rpc_methods=METHODS)


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def series(metrics: Metrics) -> list[str]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_there_are_fewer_than_a_thousand_series_whatever_callers_do(metrics: Metrics) -> None:
    before = series(metrics)
    for number in range(200):
        metrics.rpc(service=f"evil.{number}", method=f"Method{number}").start()
        metrics.rpc(service=SERVICE, method=f"Method{number}").handle(code="UNIMPLEMENTED", seconds=0.001)

    assert len(before) == len(series(metrics)) < 1_000
    labels = {"grpc_type": "unary", "grpc_service": "unknown", "grpc_method": "unknown"}
    assert sample(metrics, "grpc_server_started_total", **labels) == 200


def test_every_series_exists_at_zero_before_its_first_event(metrics: Metrics) -> None:
    labels = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "GetVault"}
    assert sample(metrics, "grpc_server_started_total", **labels) == 0
    assert sample(metrics, "grpc_server_handled_total", **labels, grpc_code="DeadlineExceeded") == 0
    assert sample(metrics, "grpc_server_handling_seconds_count", **labels) == 0
    for operation in set(Operation) - {Operation.ATTEST}:
        for outcome in Outcome:
            assert sample(metrics, "strongroom_judged_total", operation=operation.value, outcome=outcome.value) == 0
    for reason in Reason:
        assert sample(metrics, "strongroom_refusals_total", reason=reason.value.lower()) == 0
    for call in KeeperCallKind:
        for result in KeeperCallResult:
            assert sample(metrics, "strongroom_keeper_calls_total", call=call.value, result=result.value) == 0
    for component in Component:
        assert sample(metrics, "strongroom_ready", component=component.value) == 0
    for scope in RateScope:
        assert sample(metrics, "strongroom_requests_limited_total", scope=scope.value) == 0
    for name in ("keepers_connected", "single_user", "stale_records_total", "store_commit_seconds_count"):
        assert sample(metrics, f"strongroom_{name}") == 0


def test_events_are_counted_where_they_belong(metrics: Metrics) -> None:
    rpc = metrics.rpc(service=SERVICE, method="ReleaseEnvelope")
    rpc.start()
    rpc.handle(code="CANCELLED", seconds=0.02)
    metrics.judge(Operation.RELEASE, Outcome.EXHAUSTED)
    metrics.refuse(Reason.COOLING_DOWN)
    metrics.call_keeper(call=KeeperCallKind.JUDGE, result=KeeperCallResult.OK, seconds=0.004)
    metrics.set_ready(Component.STORE, ready=True)
    metrics.keepers_connected.set(2)
    metrics.commit_batch_size.observe(3)

    labels = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "ReleaseEnvelope"}
    assert sample(metrics, "grpc_server_started_total", **labels) == 1
    assert sample(metrics, "grpc_server_handled_total", **labels, grpc_code="Canceled") == 1
    assert sample(metrics, "grpc_server_handled_total", **labels, grpc_code="OK") == 0
    assert sample(metrics, "grpc_server_handling_seconds_bucket", **labels, le="0.01") == 0
    assert sample(metrics, "grpc_server_handling_seconds_bucket", **labels, le="0.025") == 1
    assert sample(metrics, "strongroom_judged_total", operation="release", outcome="exhausted") == 1
    assert sample(metrics, "strongroom_refusals_total", reason="cooling_down") == 1
    assert sample(metrics, "strongroom_keeper_calls_total", call="judge", result="ok") == 1
    assert sample(metrics, "strongroom_keeper_call_seconds_bucket", call="judge", le="0.005") == 1
    assert sample(metrics, "strongroom_ready", component="store") == 1
    assert sample(metrics, "strongroom_keepers_connected") == 2
    assert sample(metrics, "strongroom_store_commit_batch_size_bucket", le="2.0") == 0
    assert sample(metrics, "strongroom_store_commit_batch_size_bucket", le="4.0") == 1


def test_build_is_named(metrics: Metrics) -> None:
    [line] = [line for line in series(metrics) if line.startswith("strongroom_build_info{")]

    assert 'version="1.2.3"' in line


def test_two_sets_of_metrics_do_not_meet() -> None:
    first, second = (Metrics(version="1", rpc_methods=METHODS) for _ in range(2))
    first.single_user.set(1)

    assert sample(second, "strongroom_single_user") == 0


def test_names_follow_the_naming_rules_of_prometheus(metrics: Metrics) -> None:
    families = [family for family in metrics.registry.collect() if not family.name.startswith("process_")]

    assert len(families) == 36
    for family in families:
        assert re.fullmatch(r"(grpc_server|strongroom)_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith(".")
        # prometheus_client keeps counters without their suffix and writes it into the text.
        unit = family.name.rpartition("_")[2]
        assert unit not in {"total", "count", "sum", "bucket", "ms", "milliseconds", "counter", "gauge", "histogram"}
        assert family.type != "histogram" or unit in {"seconds", "size"}
        for one in family.samples:
            assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in one.labels), one.labels
            assert family.type != "counter" or one.name.endswith("_total")


def test_no_label_can_hold_an_id(metrics: Metrics) -> None:
    metrics.certificate_ends_at.labels("server")  # as the front does, and the listener for browsers where there is one
    labels = {label for family in metrics.registry.collect() for one in family.samples for label in one.labels}

    assert labels == {
        "call", "component", "grpc_code", "grpc_method", "grpc_service", "grpc_type", "le", "operation", "outcome",
        "purpose", "python_version", "reason", "result", "role", "scope", "version",
    }  # fmt: skip


def test_attempts_exhaustions_and_resets_are_counted_beside_the_decisions(metrics: Metrics) -> None:
    metrics.judge(Operation.RELEASE, Outcome.FAILED)
    metrics.judge(Operation.RELEASE, Outcome.EXHAUSTED)
    metrics.judge(Operation.RESET, Outcome.GRANTED)
    metrics.judge(Operation.SWEEP, Outcome.GRANTED)

    assert sample(metrics, "strongroom_attempts_total", outcome="failed") == 1
    assert sample(metrics, "strongroom_attempts_total", outcome="granted") == 0
    assert sample(metrics, "strongroom_exhaustions_total") == 1
    assert sample(metrics, "strongroom_resets_total") == 1


def test_promtool_has_nothing_to_say_of_the_metrics(metrics: Metrics) -> None:
    page = generate_latest(metrics.registry)
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
