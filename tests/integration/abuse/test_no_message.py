"""Bytes that are no request at all, and methods that are none: refused as kindly, and counted like any other call."""

from __future__ import annotations

import os

import grpc
import psutil
import pytest

from strongroom_service.domain.errors import Reason
from tests.bench.processes import find_children
from tests.fakes.hand_client import HandClient, Told
from tests.integration.abuse.conftest import Abused, metrics_of
from tests.integration.abuse.spoiling import HUGE_BYTES, MARK
from tests.integration.abuse.telling import field_of, require_clean
from tests.integration.abuse.test_fields import RPCS, SERVICES

METHODS = [(service.full_name, method.name) for service in SERVICES for method in service.methods]
TOO_MANY_BYTES = 140_000
PATIENCE_SECONDS = 20.0
BAD_UTF8 = b"\x0a\x04\xff\xfe\xff\xfe\x12\x04\xff\xfe\xff\xfe"
GARBAGE = [b"\xff" * 64, b"\x0a\x7f" + MARK, b"\x0b" * 40, MARK * (HUGE_BYTES // len(MARK))]


def send(client: HandClient, method: str, data: bytes, *, packed: bool = False) -> Told:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(method)
    compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
    with pytest.raises(grpc.RpcError) as caught:
        call(data, timeout=PATIENCE_SECONDS, metadata=client.metadata, compression=compression)
    return Told(caught.value)


@pytest.mark.parametrize(("service", "method"), METHODS)
def test_bytes_that_are_no_message_are_an_invalid_field(abused: Abused, service: str, method: str) -> None:
    with HandClient(abused.vault) as client:
        for garbage in GARBAGE:
            told = send(client, f"/{service}/{method}", garbage)
            require_clean(told)
            assert (told.reason, field_of(told)) == (Reason.INVALID_FIELD.value, "request")


def test_text_that_is_no_utf8_is_an_invalid_field(abused: Abused) -> None:
    with HandClient(abused.vault) as client:
        told = send(client, "/strongroom.v1.TenantService/EraseAccount", BAD_UTF8)
        require_clean(told)


def test_bytes_that_are_no_message_are_counted(abused: Abused) -> None:
    """By the metrics, and so by what counts in the same place: the rates of the caller's address."""
    method = 'grpc_method="ReleaseEnvelope",grpc_service="strongroom.v1.VaultService",grpc_type="unary"'
    name = f'grpc_server_handled_total{{grpc_code="InvalidArgument",{method}}}'
    before = metrics_of(abused.vault).get(name, 0)
    with HandClient(abused.vault) as client:
        send(client, "/strongroom.v1.VaultService/ReleaseEnvelope", b"\xff" * 64)
    assert metrics_of(abused.vault)[name] == before + 1


@pytest.mark.parametrize(
    "method",
    [
        "/strongroom.v1.VaultService/OpenEverything",
        "/strongroom.v1.VaultService/getvault",
        "/strongroom.v1.VaultService/",
        "/strongroom.v2.VaultService/GetVault",
        "/strongroom.keeper.v1.Keeper/Judge",
        "/GetVault",
        "/../etc/passwd",
    ],
)
def test_method_that_is_none_is_unimplemented(abused: Abused, method: str) -> None:
    with HandClient(abused.vault) as client:
        told = send(client, method, b"")
        assert told.code is grpc.StatusCode.UNIMPLEMENTED
        assert told.text == "Method not found!"


@pytest.mark.parametrize(("service", "method"), METHODS)
def test_message_above_the_limit_never_reaches_us(abused: Abused, service: str, method: str) -> None:
    """gRPC itself refuses it, by its length, before it is read; so there is no reason of ours."""
    with HandClient(abused.vault) as client:
        told = send(client, f"/{service}/{method}", os.urandom(TOO_MANY_BYTES))
        assert told.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert MARK.decode() not in told.text


def test_message_that_unpacks_to_more_than_the_limit_is_refused_at_once(abused: Abused) -> None:
    """Sixty megabytes of zeros in sixty kilobytes: never unpacked whole in the front's memory."""
    front = psutil.Process(find_children(abused.vault.pid)[0])
    with HandClient(abused.vault) as client:
        before = front.memory_info().rss
        for _ in range(3):
            told = send(client, "/strongroom.v1.VaultService/GetVault", bytes(60_000_000), packed=True)
            assert told.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert front.memory_info().rss - before < 20_000_000


def test_packed_message_within_the_limit_is_read(abused: Abused) -> None:
    """Control: it is its size that was refused above."""
    with HandClient(abused.vault) as client:
        told = send(client, "/strongroom.v1.VaultService/GetVault", bytes(60_000), packed=True)
        assert (told.reason, field_of(told)) == ("INVALID_FIELD", "request")


def test_metadata_above_the_limit_is_refused(abused: Abused) -> None:
    with HandClient(abused.vault) as client:
        client.metadata = (*client.metadata, ("x-more", "x" * 40_000))
        assert send(client, "/strongroom.v1.VaultService/GetVault", b"").code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_health_is_not_asked_by_what_is_no_message(abused: Abused, method: str) -> None:
    """By anybody, without a token: so not a line of the log each, let alone a stack trace."""
    lines = abused.vault.log_file.read_bytes().count(b"\n")
    with HandClient(abused.vault) as client:
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = client.channel.unary_stream(
            f"/grpc.health.v1.Health/{method}"
        )
        for _ in range(20):
            with pytest.raises(grpc.RpcError) as caught:
                list(call(b"\xff" * 64, timeout=PATIENCE_SECONDS))
            assert Told(caught.value).code is grpc.StatusCode.INVALID_ARGUMENT
    assert abused.vault.is_serving()
    assert abused.vault.log_file.read_bytes().count(b"\n") - lines < 20


def test_every_rpc_is_tried() -> None:
    assert {method for _, method in METHODS} == set(RPCS)
