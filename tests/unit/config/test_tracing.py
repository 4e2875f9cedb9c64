from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from strongroom_service.config.tracing import TracingTable

HTTP = "http://127.0.0.1:4318/v1/traces"
FOLDER = Path("/etc/strongroom")


def read(**fields: object) -> TracingTable:
    return TracingTable.model_validate(fields, context={"folder": FOLDER})


def test_one_rpc_in_a_hundred_is_traced_unless_said_otherwise() -> None:
    assert read(endpoint=HTTP).sample_ratio == 0.01


@pytest.mark.parametrize("endpoint", [HTTP, "https://collector.internal/v1/traces", "http://[::1]:4318/"])
def test_endpoint_is_a_whole_url(endpoint: str) -> None:
    assert read(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "collector:4318",
        "grpc://collector:4317/",
        "http://collector:4318",
        "http://collector:0/v1/traces",
        f"{HTTP}?key=hunter2",
        f"{HTTP}#hunter2",
        "http://me:hunter2@collector:4318/v1/traces",
        f"{HTTP}\n",
    ],
)
def test_anything_else_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(endpoint=endpoint)
    [fault] = caught.value.errors(include_url=False, include_context=False, include_input=False)
    assert "must be http://host:port/path" in fault["msg"]
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize("ratio", [0, -1, 1.01, "often"])
def test_ratio_is_a_share(ratio: object) -> None:
    with pytest.raises(ValidationError, match="sample_ratio"):
        read(endpoint=HTTP, sample_ratio=ratio)


def test_authority_of_a_plain_endpoint_is_a_slip() -> None:
    with pytest.raises(ValidationError, match="ca_file needs an endpoint of https://"):
        read(endpoint=HTTP, ca_file="ca.pem")
    assert read(endpoint="https://collector/v1/traces", ca_file="ca.pem").ca_file == FOLDER / "ca.pem"
