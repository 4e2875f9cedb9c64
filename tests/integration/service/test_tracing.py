"""A real service that traces every RPC, and a collector: what it is told, and what it is not."""

from __future__ import annotations

import base64
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.otlp_collector import Collector, texts
from tests.fakes.passkey import Forgery

TRACE_ID, CALLERS_SPAN_ID = bytes(range(1, 17)), bytes(range(1, 9))
TRACEPARENT = f"00-{TRACE_ID.hex()}-{CALLERS_SPAN_ID.hex()}-01"
REQUEST_ID = "known-request-id-4711"
SERVICE = "strongroom.v1.VaultService"
ATTRIBUTES = {
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.response.status_code",
    "strongroom.keeper.call",
    "strongroom.result",
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a collector got of an enrollment, a release and a refusal, once the service had ended."""

    collector: Collector
    hidden: Mapping[str, bytes]
    log: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("tracing")
    with Collector() as collector:
        shape = VaultShape(keepers=1, tracing={"endpoint": collector.endpoint, "sample_ratio": 1.0})
        with DevelopmentVault.start(folder, shape=shape) as vault, HandClient(vault) as client:
            told = (("x-request-id", REQUEST_ID), ("traceparent", TRACEPARENT), ("tracestate", "vendor=of-the-caller"))
            client.metadata = (*client.metadata, *told)
            envelope = os.urandom(500)
            client.enroll(envelope)
            assert client.release() == [envelope]
            with pytest.raises(Told):
                client.release(Forgery(unsigned=True))
            token = client.metadata[0][1].removeprefix("Bearer ").encode()
            with closing(sqlite3.connect(folder / "data" / "vault.db")) as connection:
                [record_id] = connection.execute("SELECT record_id FROM records").fetchone()
            hidden = {
                "account": client.account.encode(),
                "account token": token,
                "claims of the token": token.split(b".")[1],
                "tenant": vault.files.tenant.name.encode(),
                "record id": record_id,
                "credential id": client.passkey.credential_id,
                "user handle": client.passkey.user_handle,
                "envelope": envelope[:48],
                "request id": REQUEST_ID.encode(),
                "tracestate": b"of-the-caller",
                "pin": (folder / "token" / "development.pin").read_bytes().strip(),
            }
        # A front that is told to stop sends what is left.
        yield Scene(collector=collector, hidden=hidden, log=vault.log_file.read_text(encoding="utf-8"))


def found_in(text: bytes, needles: Mapping[str, bytes]) -> set[str]:
    def forms(needle: bytes) -> tuple[bytes, ...]:
        whole = needle[: len(needle) // 3 * 3]
        return needle, needle.hex().encode(), base64.b64encode(whole), base64.urlsafe_b64encode(whole)

    return {name for name, needle in needles.items() if any(form in text for form in forms(needle))}


def rpc(scene: Scene, method: str, code: str) -> Span:
    [span] = [
        span
        for span in scene.collector.spans
        if span.name == f"{SERVICE}/{method}" and texts(span.attributes)["rpc.response.status_code"] == code
    ]
    return span


def told_within(scene: Scene, parent: Span) -> list[tuple[str, str]]:
    within = [span for span in scene.collector.spans if span.parent_span_id == parent.span_id]
    assert {span.trace_id for span in within} == {TRACE_ID}
    return [
        (span.name, texts(span.attributes)["strongroom.result"])
        for span in sorted(within, key=lambda span: span.start_time_unix_nano)
    ]


def test_collector_sees_what_a_release_is_made_of_within_the_callers_trace(scene: Scene) -> None:
    release = rpc(scene, "ReleaseEnvelope", "OK")
    assert (release.trace_id, release.parent_span_id) == (TRACE_ID, CALLERS_SPAN_ID)
    assert told_within(scene, release) == [("keeper judge", "ok"), ("commit", "ok"), ("keeper fulfil", "ok")]
    enrollment = rpc(scene, "CompleteRegistration", "OK")
    assert (enrollment.trace_id, enrollment.parent_span_id) == (TRACE_ID, CALLERS_SPAN_ID)
    assert told_within(scene, enrollment)[:2] == [("keeper judge", "ok"), ("commit", "ok")]
    refused = rpc(scene, "ReleaseEnvelope", "PERMISSION_DENIED")
    assert told_within(scene, refused) == [("keeper judge", "ok"), ("commit", "ok")]


def test_spans_are_of_rpcs_alone_and_have_no_attribute_but_the_named_ones(scene: Scene) -> None:
    spans = scene.collector.spans
    ids = {span.span_id for span in spans}
    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert {span.parent_span_id for span in spans} <= {*ids, CALLERS_SPAN_ID}
    assert {name for span in spans for name in texts(span.attributes)} == ATTRIBUTES
    assert not any(span.events or span.links or span.trace_state or span.status.message for span in spans)
    assert all(set(each) == {"service.name", "service.version"} for each in scene.collector.resources)


def test_collector_learns_no_id_and_no_byte_of_a_request(scene: Scene) -> None:
    sent = b"".join(scene.collector.bodies)
    assert found_in(sent, scene.hidden) == set()
    assert found_in(sent, {"trace id": TRACE_ID, "method": b"ReleaseEnvelope"}) == {"trace id", "method"}
    assert "spans_lost" not in scene.log


def test_search_of_spans_finds_what_is_planted_in_them(scene: Scene) -> None:
    """A control of the test above."""
    for name, needle in scene.hidden.items():
        span = Span(name="planted")
        span.attributes.add(key="planted").value.string_value = needle.hex()
        raw = Span(name="planted")
        raw.attributes.add(key="planted").value.bytes_value = needle
        for planted in (span, raw):
            assert found_in(b"".join([*scene.collector.bodies, planted.SerializeToString()]), scene.hidden) >= {name}
