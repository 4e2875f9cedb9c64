"""A vault whose rates are counted in a real Redis: without it there are no ceremonies, and with it there are again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import grpc
import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient, Told
from tests.fixtures.redis import RedisServer, own_redis

PATIENCE_SECONDS: Final = 30.0
# Of what a call may take while Redis hangs; far below its deadline.
PROMPT_SECONDS: Final = 3.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


@pytest.fixture
def vault(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[DevelopmentVault]:
    shape = VaultShape(keepers=1, rates={"redis": {"url": server.url}})
    with DevelopmentVault.start(tmp_path_factory.mktemp("redis"), shape=shape) as vault:
        yield vault


def require_no_ceremonies(client: HandClient) -> None:
    started_at = time.monotonic()
    with pytest.raises(Told) as told:
        client.begin_registration()
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert client.vault_reply().account == client.account
    assert time.monotonic() - started_at < PROMPT_SECONDS


def wait_for_ceremonies(client: HandClient) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client.begin_registration()
        except Told as told:
            assert told.code is grpc.StatusCode.UNAVAILABLE  # noqa: PT017  any other is a failure
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def kill(server: RedisServer) -> Callable[[], None]:
    server.kill()
    return server.start


def stall(server: RedisServer) -> Callable[[], None]:
    server.stall()
    return server.resume


def refuse(server: RedisServer) -> Callable[[], None]:
    with server.client() as client:
        client.config_set("maxmemory", 1)  # with noeviction, the default: no new counts

    def accept() -> None:
        with server.client() as client:
            client.config_set("maxmemory", 0)

    return accept


@pytest.mark.parametrize("trouble", [kill, stall, refuse])
def test_without_redis_there_are_reads_but_no_ceremonies_and_with_it_there_are_again(
    vault: DevelopmentVault, server: RedisServer, trouble: Callable[[RedisServer], Callable[[], None]]
) -> None:
    with HandClient(vault) as client:
        completion = client.registration_request(client.begin_registration())
        end_trouble = trouble(server)
        for _ in range(3):
            require_no_ceremonies(client)
        with pytest.raises(Told, match="UNAVAILABLE"):
            client.call("CompleteRegistration", completion)
        assert vault.is_serving()
        end_trouble()
        wait_for_ceremonies(client)
    text = vault.log_file.read_text(encoding="utf-8")
    assert text.count('"rate_store_down"') == text.count('"rate_store_up"') == 1
    assert client.account not in text


def test_redis_learns_no_account(vault: DevelopmentVault, server: RedisServer) -> None:
    with HandClient(vault) as client:
        client.begin_registration()
        keys = " ".join(server.keys())
        assert "/tenant:begin:" in keys
        assert client.account not in keys
