"""What the two listeners share: slots, rates, deadlines, and what becomes of callers who hang up."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
import pytest
from google.rpc import error_details_pb2

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.connect_stub import Wire
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import Forgery
from tests.fakes.stepped_vault import until
from tests.integration.service.test_life_of_service import keepers_of, metrics_of

WAYS: Final = [pytest.param(None, id="grpc"), *(pytest.param(wire, id=wire.name.lower()) for wire in Wire)]
SLOTS: Final = 4
READS_AT_ONCE: Final = 2
BEGINS_OF_AN_ACCOUNT: Final = 5  # one for gRPC and each of the others
PATIENCE_SECONDS: Final = 60.0
PATH: Final = "/strongroom.v1.VaultService/GetVault"
READ: Final = 'grpc_method="GetVault",grpc_service="strongroom.v1.VaultService",grpc_type="unary"'


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentVault]:
    shape = VaultShape(
        keepers=1,
        browser=True,
        limits={"max_concurrent_calls": SLOTS, "max_deadline_seconds": PATIENCE_SECONDS},
        rates={"account": {"begin": [f"{BEGINS_OF_AN_ACCOUNT}/h"]}},
        keeper_settings={"call_deadline_seconds": 60.0, "heartbeat_timeout_seconds": 120.0},
    )
    with DevelopmentVault.start(tmp_path_factory.mktemp("both"), shape=shape) as vault:
        yield vault


@contextmanager
def silent_keeper(vault: DevelopmentVault) -> Iterator[None]:
    """Have calls wait, and be answered in the end."""
    [keeper] = keepers_of(vault)
    keeper.suspend()
    try:
        yield
    finally:
        keeper.resume()


@contextmanager
def reading(vault: DevelopmentVault, wire: Wire | None) -> Iterator[None]:
    """As many reads under way as there may be."""

    def read() -> None:
        with HandClient(vault, wire=wire) as client:
            client.deadline = PATIENCE_SECONDS
            answered.append(client.vault_reply().account == client.account)

    answered: list[bool] = []
    readers = [threading.Thread(target=read) for _ in range(READS_AT_ONCE)]
    with silent_keeper(vault):
        for reader in readers:
            reader.start()
        until(lambda: metrics_of(vault)["strongroom_slots_in_use"] == READS_AT_ONCE, "the reads are under way")
        yield
    for reader in readers:
        reader.join()
    assert answered == [True] * READS_AT_ONCE


@pytest.mark.parametrize(("holding", "asking"), [(None, Wire.CONNECT_JSON), (Wire.GRPC_WEB, None)])
def test_slots_are_those_of_both(vault: DevelopmentVault, holding: Wire | None, asking: Wire | None) -> None:
    with HandClient(vault, wire=asking) as client:
        with reading(vault, holding), pytest.raises(Told) as told:
            client.vault_reply()
        assert (told.value.code, told.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY")
        assert told.value.detail(error_details_pb2.RetryInfo).retry_delay.seconds >= 1
        client.vault_reply()


def test_rates_are_those_of_both(vault: DevelopmentVault) -> None:
    with HandClient(vault) as first:
        ways = [HandClient(vault, first.account, wire=wire) for wire in Wire]
        for client in (first, *ways):
            client.begin_registration()
        for client in (first, *ways):
            with pytest.raises(Told) as told:
                client.begin_registration()
            assert (told.value.code, told.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
            assert told.value.detail(error_details_pb2.RetryInfo).retry_delay.seconds >= 1
            [violation] = told.value.detail(error_details_pb2.QuotaFailure).violations
            assert (violation.subject, violation.description) == ("caller", "requests")


@pytest.mark.parametrize("wire", WAYS)
def test_attempt_counts_though_its_deadline_passed(vault: DevelopmentVault, wire: Wire | None) -> None:
    with HandClient(vault, wire=wire) as client:
        client.enroll()
        before = client.vault_reply().attempts_left
        request = client.release_request(client.begin_release(), Forgery(unsigned=True))
        with silent_keeper(vault):
            client.deadline = 0.2
            with pytest.raises(Told) as told:
                client.call("ReleaseEnvelope", request)
        assert told.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        client.deadline = PATIENCE_SECONDS
        until(lambda: client.vault_reply().attempts_left == before - 1, "the attempt is counted")


def test_page_that_goes_away_ends_its_call(vault: DevelopmentVault) -> None:
    name = f'grpc_server_handled_total{{grpc_code="Canceled",{READ}}}'
    before = metrics_of(vault)[name]
    headers = {
        "content-type": "application/json",
        "connect-timeout-ms": "60000",
        "authorization": f"Bearer {vault.issue_token('alice')}",
    }
    with silent_keeper(vault):
        connection = http.client.HTTPConnection((vault.files.browser_url or "").removeprefix("http://"))
        connection.request("POST", PATH, json.dumps({"nonce": "A" * 43 + "="}).encode(), headers)
        until(lambda: metrics_of(vault)["strongroom_slots_in_use"] == 1, "the call is under way")
        connection.close()
        until(lambda: metrics_of(vault)["strongroom_slots_in_use"] == 0, "the call has ended")
    assert metrics_of(vault)[name] == before + 1
