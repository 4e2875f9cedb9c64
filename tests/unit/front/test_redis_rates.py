"""Only of Redis: who may connect to it, what it sees, and what its failing looks like. The rest is in the contract."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from deploy.development.vault_folder import free_ports
from strongroom_service.config.redis import RedisCounts
from strongroom_service.domain.errors import Misconfigured, RatesUnavailable
from strongroom_service.domain.rates import Window
from strongroom_service.front.limits_rates import LimitsRateStore
from strongroom_service.front.redis_rates import open_redis
from tests.fakes.log import RecordingLog
from tests.fixtures.redis import RedisServer, own_redis

ONCE = Window(count=1, seconds=60)
ONCE_AN_HOUR = Window(count=1, seconds=3_600)
PASSWORD = "correct horse battery"


@asynccontextmanager
async def opened(settings: RedisCounts, *, log: RecordingLog | None = None) -> AsyncIterator[LimitsRateStore]:
    storage, close = open_redis(settings, key_prefix="vault", log=log or RecordingLog())
    yield LimitsRateStore(storage, clock=time.time)
    await close()


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


@pytest.fixture(scope="module")
def locked_server() -> Iterator[RedisServer]:
    with own_redis("--requirepass", PASSWORD) as server:
        yield server


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    return write_password(tmp_path / "password", PASSWORD)


def write_password(path: Path, password: str, *, mode: int = 0o600) -> Path:
    path.write_text(f"{password}\n", encoding="utf-8")
    path.chmod(mode)
    return path


async def test_redis_sees_one_key_for_each_window_and_forgets_it_when_that_has_passed(
    redis_server: RedisServer,
) -> None:
    redis_server.empty()
    async with opened(redis_server.settings()) as store:
        await store.take("tenant:begin:notes", [ONCE, ONCE_AN_HOUR])
    assert redis_server.keys() == [
        "vault:strongroom/tenant:begin:notes/1/3600/second",
        "vault:strongroom/tenant:begin:notes/1/60/second",
    ]
    redis_server.advance(61)
    assert redis_server.keys() == ["vault:strongroom/tenant:begin:notes/1/3600/second"]


async def test_fronts_count_together(redis_server: RedisServer) -> None:
    redis_server.empty()
    async with opened(redis_server.settings()) as one, opened(redis_server.settings()) as other:
        assert await one.take("a", [ONCE]) is None
        assert await other.take("a", [ONCE]) is not None


async def test_server_that_has_gone_is_our_fault_until_it_is_back(own_server: RedisServer) -> None:
    async with opened(own_server.settings()) as store:
        assert await store.take("a", [ONCE]) is None
        own_server.kill()
        for _ in range(3):
            with pytest.raises(RatesUnavailable):
                await store.take("b", [ONCE])
        own_server.start()
        assert await store.take("b", [ONCE]) is None


async def test_server_that_hangs_is_not_waited_for_and_no_answer_is_taken_for_another(own_server: RedisServer) -> None:
    async with opened(own_server.settings(timeout_seconds=0.05, connections=1)) as store:
        assert await store.take("a", [ONCE]) is None
        own_server.stall()
        started_at = time.monotonic()
        with pytest.raises(RatesUnavailable):
            await store.take("a", [ONCE])  # the answer that comes too late says that the window is full
        assert time.monotonic() - started_at < 5
        own_server.resume()
        assert await store.take("b", [ONCE]) is None
        assert await store.take("a", [ONCE]) is not None


async def test_memory_of_redis_that_is_full_is_no_leave_to_go_on(own_server: RedisServer) -> None:
    with own_server.client() as client:
        client.config_set("maxmemory", 1)
    async with opened(own_server.settings()) as store:
        with pytest.raises(RatesUnavailable):
            await store.take("a", [ONCE])


async def test_password_is_read_from_its_file_for_each_connection(
    locked_server: RedisServer, password_file: Path
) -> None:
    log = RecordingLog()
    settings = locked_server.settings(password_file=str(password_file))
    async with opened(settings, log=log) as store:
        assert await store.take("a", [ONCE]) is None
    write_password(password_file, PASSWORD, mode=0o644)
    with pytest.raises(Misconfigured, match="can be used by group or others"):
        open_redis(settings, key_prefix="vault", log=log)
    write_password(password_file, PASSWORD)
    async with opened(settings, log=log) as store:
        write_password(password_file, "wrong horse")
        with pytest.raises(RatesUnavailable) as raised:
            await store.take("b", [ONCE])
        write_password(password_file, "wrong horse", mode=0o644)
        with pytest.raises(RatesUnavailable):
            await store.take("b", [ONCE])
    assert log.events() == ["rates_password_unfit"]
    assert "horse" not in str((raised.value, log.lines))


async def test_user_has_its_own_password(locked_server: RedisServer, password_file: Path) -> None:
    with locked_server.client(password=PASSWORD) as client:
        client.acl_setuser("front", enabled=True, passwords=["+front horse"], keys=["vault:*"], commands=["+@all"])
    write_password(password_file, "front horse")
    async with opened(locked_server.settings(user="front", password_file=str(password_file))) as store:
        assert await store.take("of the user", [ONCE]) is None


async def test_no_password_where_one_is_asked_for(locked_server: RedisServer) -> None:
    async with opened(locked_server.settings()) as store:
        with pytest.raises(RatesUnavailable):
            await store.take("a", [ONCE])


async def test_host_is_believed_by_its_certificate_alone(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "stranger.pem")
    [port] = free_ports(1)
    server = str(tmp_path / "server.pem")
    options = ["--tls-port", str(port), "--bind", "127.0.0.1", "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", server, "--tls-key-file", server, "--tls-ca-cert-file", str(tmp_path / "ca.pem")]
    with own_redis(*options) as redis_server:
        url = f"rediss://localhost:{port}"
        async with opened(redis_server.settings(url=url, tls_ca_file=str(tmp_path / "ca.pem"))) as store:
            assert await store.take("a", [ONCE]) is None
        async with opened(redis_server.settings(url=url, tls_ca_file=str(tmp_path / "stranger.pem"))) as store:
            with pytest.raises(RatesUnavailable):
                await store.take("b", [ONCE])
