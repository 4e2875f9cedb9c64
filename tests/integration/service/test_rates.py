"""Rates over real gRPC: whoever is above them is told to wait, nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from typing import Final

import grpc
import pytest
from google.rpc import error_details_pb2

from deploy.development.environment import DevelopmentVault, VaultShape
from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.fakes.hand_client import HandClient, Told

READS_OF_A_PEER: Final = 20
BEGINS_OF_AN_ACCOUNT: Final = 2
# Windows of an hour: no test is slow enough to see one pass.
RATES: Final = {
    "peer": {"read": [f"{READS_OF_A_PEER}/h"]},
    "account": {"begin": ["1000/min", f"{BEGINS_OF_AN_ACCOUNT}/h"]},
}
OTHER_ADDRESS: Final = "127.0.0.2"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentVault]:
    with DevelopmentVault.start(tmp_path_factory.mktemp("rates"), shape=VaultShape(keepers=1, rates=RATES)) as vault:
        yield vault


class Relay:
    """Passes connections on to a vault as if they came from another address."""

    def __init__(self, vault: DevelopmentVault, source: str) -> None:
        self._target_port = int(vault.address.rpartition(":")[2])
        self._source = source
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._pass_on, "127.0.0.1", 0))
        self.address = f"localhost:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port, local_addr=(self._source, 0))
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.contextmanager
def client_elsewhere(vault: DevelopmentVault) -> Iterator[HandClient]:
    """A client whose calls come from another address."""
    relay = Relay(vault, OTHER_ADDRESS)
    try:
        with HandClient(vault) as client:
            client.channel.close()
            client.channel = grpc.secure_channel(relay.address, vault.channel_credentials())
            client.stub = VaultServiceStub(client.channel)
            yield client
    finally:
        relay.close()


def limited(vault: DevelopmentVault, scope: str) -> float:
    with urllib.request.urlopen(vault.files.metrics_url) as page:  # noqa: S310  our own address
        text = page.read().decode()
    [line] = [
        line for line in text.splitlines() if line.startswith(f'strongroom_requests_limited_total{{scope="{scope}"')
    ]
    return float(line.rpartition(" ")[2])


def require_limited(told: Told) -> None:
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert 1 <= told.detail(error_details_pb2.RetryInfo).retry_delay.seconds <= 3_600
    [violation] = told.detail(error_details_pb2.QuotaFailure).violations
    assert (violation.subject, violation.description) == ("caller", "requests")


def test_account_above_its_rate_waits_and_another_does_not(vault: DevelopmentVault) -> None:
    before = limited(vault, "account")
    with HandClient(vault) as client, HandClient(vault) as other:
        for _ in range(BEGINS_OF_AN_ACCOUNT):
            client.begin_registration()
        with pytest.raises(Told) as told:
            client.begin_registration()
        require_limited(told.value)
        other.begin_registration()
    assert limited(vault, "account") == before + 1
    assert client.account not in vault.log_file.read_text(encoding="utf-8")


def test_new_token_of_an_account_brings_no_new_allowance(vault: DevelopmentVault) -> None:
    with HandClient(vault) as client:
        for _ in range(BEGINS_OF_AN_ACCOUNT):
            client.begin_registration()
        token = vault.issue_token(client.account, lifetime_seconds=60)
        client.metadata = (("authorization", f"Bearer {token}"),)
        with pytest.raises(Told, match="RESOURCE_EXHAUSTED"):
            client.begin_registration()


def test_strangers_use_up_nothing_of_an_account(vault: DevelopmentVault) -> None:
    with HandClient(vault) as client:
        good = client.metadata
        client.metadata = (("authorization", f"{good[0][1][:-4]}AAAA"),)
        for _ in range(2 * BEGINS_OF_AN_ACCOUNT):
            with pytest.raises(Told, match="UNAUTHENTICATED"):
                client.begin_registration()
        client.metadata = good
        client.begin_registration()


def test_peer_above_its_rate_waits_and_another_does_not_nor_does_health(vault: DevelopmentVault) -> None:
    request = pb.GetVaultRequest(nonce=bytes(32))
    with client_elsewhere(vault) as elsewhere, HandClient(vault) as client:
        good = client.metadata
        client.metadata = (("authorization", "Bearer garbage"),)
        for _ in range(READS_OF_A_PEER):
            with pytest.raises(Told, match="UNAUTHENTICATED"):
                client.call("GetVault", request)
        client.metadata = good
        for _ in range(3):  # a good token does not help: it is not looked at
            with pytest.raises(Told) as told:
                client.call("GetVault", request)
            require_limited(told.value)
            assert vault.is_serving()
        assert elsewhere.vault_reply().account == elsewhere.account
        client.begin_registration()  # another class counts for itself
    assert limited(vault, "peer") == 3
