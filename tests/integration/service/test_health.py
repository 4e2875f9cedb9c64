"""Health is told, whatever else is refused."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import grpc
import pytest
from grpc_health.v1 import health_pb2

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.vault_folder import free_ports
from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.fakes.hand_client import HandClient, Told

SLOTS: Final = 1
BACKSTOP: Final = 16
WATCHES: Final = 4
SERVICE: Final = "strongroom.v1.VaultService"

Check = Callable[[], int]


class HealthVault:
    """A vault with a health port, and so few slots that they are soon in use."""

    def __init__(self, vault: DevelopmentVault, health_port: int) -> None:
        self.vault = vault
        self.health_port = health_port

    def main_channel(self) -> grpc.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.secure_channel(self.vault.address, self.vault.channel_credentials(), options=options)

    def check(self, service: str = SERVICE) -> int:
        with grpc.insecure_channel(f"127.0.0.1:{self.health_port}") as channel:
            return check_on(channel, service)


def check_on(channel: grpc.Channel, service: str) -> int:
    call = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return int(call(health_pb2.HealthCheckRequest(service=service), timeout=10).status)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HealthVault]:
    shape = VaultShape(keepers=1, limits={"max_concurrent_calls": SLOTS})
    files = make_files(tmp_path_factory.mktemp("health"), shape)
    [port] = free_ports(1)
    with files.config_file.open("a", encoding="utf-8") as file:
        file.write(f"\n[health]\nport = {port}\n")
    with DevelopmentVault(files) as vault:
        vault.init()
        vault.serve()
        yield HealthVault(vault, port)


def test_port_of_its_own_tells_health_and_nothing_else(running: HealthVault) -> None:
    assert running.check("") == running.check() == health_pb2.HealthCheckResponse.SERVING
    with grpc.insecure_channel(f"127.0.0.1:{running.health_port}") as channel, pytest.raises(grpc.RpcError) as told:
        VaultServiceStub(channel).GetVault(pb.GetVaultRequest(nonce=bytes(32)), timeout=10)
    assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_is_told_while_calls_without_an_end_fill_the_server(running: HealthVault) -> None:
    stop: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with ExitStack() as open_channels:
        for _ in range(BACKSTOP + 4):
            channel = open_channels.enter_context(running.main_channel())
            grpc.channel_ready_future(channel).result(timeout=10)
            # Begins the call, and never sends its message: iter() waits for the queue.
            begin: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/{SERVICE}/GetVault")
            open_channels.callback(begin.future(iter(stop.get, b"")).cancel)
        with running.main_channel() as channel:
            await_refusal(channel)
            assert running.check() == health_pb2.HealthCheckResponse.SERVING
    for _ in range(BACKSTOP + 4):
        stop.put(b"")  # lets the threads of the calls end


def await_refusal(channel: grpc.Channel) -> None:
    """Wait until the other port takes no call at all: the control."""
    for _ in range(1_000):
        try:
            check_on(channel, SERVICE)
        except grpc.RpcError as told:
            assert told.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017  any other is a failure
            return
    raise AssertionError("the server was never full")


def test_watches_without_number_are_not_to_be_had_and_hinder_nobody(running: HealthVault) -> None:
    with running.main_channel() as channel:
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        watches = [watch(health_pb2.HealthCheckRequest(service=SERVICE)) for _ in range(3 * BACKSTOP)]
        told = [first_of(each) for each in watches]
        assert told.count("SERVING") <= WATCHES
        assert set(told) == {"SERVING", "RESOURCE_EXHAUSTED"}
        with HandClient(running.vault) as client:
            assert client.vault_reply().account == client.account
        for each in watches:
            each.cancel()


def first_of(watch: Iterator[health_pb2.HealthCheckResponse]) -> str:
    try:
        return health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status)
    except grpc.RpcError as error:
        return str(error.code().name)


def test_health_is_told_while_the_slots_are_in_use(running: HealthVault) -> None:
    told: list[str] = []

    def call_until_busy() -> None:
        with HandClient(running.vault) as client:
            for _ in range(200):
                try:
                    client.vault_reply()
                except Told as error:
                    told.append(error.reason)

    threads = [threading.Thread(target=call_until_busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    with running.main_channel() as channel:
        for _ in range(50):
            assert check_on(channel, SERVICE) == running.check() == health_pb2.HealthCheckResponse.SERVING
    for thread in threads:
        thread.join()
    assert set(told) == {"BUSY"}
