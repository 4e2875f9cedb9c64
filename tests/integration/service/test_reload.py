"""Configuration that changes while the service runs, over real gRPC and real processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Final

import grpc
import psutil
import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault, VaultShape
from deploy.development.tenant import DevelopmentTenant, generate_tenant, issue_account_token, write_tenant
from tests.fakes.hand_client import HandClient, Told
from tests.integration.service.daemons import runs

PATIENCE_SECONDS: Final = 30.0
PHOTOS: Final = generate_tenant(name="photos", issuer="https://login.photos.example")
PROCESSES: Final = 4  # parent, two keepers, front


class Reloadable:
    """A running vault whose files are changed."""

    def __init__(self, vault: DevelopmentVault) -> None:
        self.vault = vault
        self.tenants = vault.files.folder / "tenants"
        self.file = vault.files.config_file

    def lines(self, event: str) -> list[dict[str, str]]:
        text = self.vault.log_file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if f'"{event}"' in line]

    def reload(self, event: str = "configuration_reloaded") -> list[dict[str, str]]:
        """Tell the parent, and return what all processes say of it."""
        before = len(self.lines(event))
        os.kill(self.vault.pid, signal.SIGHUP)
        wait_until(lambda: len(self.lines(event)) >= before + PROCESSES)
        return self.lines(event)[before:]

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(self.vault.files.metrics_url) as page:  # noqa: S310  our own address
            text = page.read().decode()
        [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])

    def children(self, command: str) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.vault.pid).children() if runs(child, command)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloadable]:
    with DevelopmentVault.start(tmp_path_factory.mktemp("reload"), shape=VaultShape(keepers=2)) as vault:
        reloadable = Reloadable(vault)
        # A keeper that has not opened the vault yet still hears of it, but not at once.
        wait_until(lambda: reloadable.metric("strongroom_keepers_connected") == 2)
        yield reloadable


def client_of(vault: DevelopmentVault, tenant: DevelopmentTenant) -> HandClient:
    client = HandClient(vault)
    token = issue_account_token(tenant, account=client.account, audience=AUDIENCE, now_seconds=int(time.time()))
    client.metadata = (("authorization", f"Bearer {token}"),)
    return client


def require_refused(client: HandClient) -> None:
    with pytest.raises(Told) as told:
        client.vault_reply()
    assert told.value.code is grpc.StatusCode.UNAUTHENTICATED


def test_tenant_comes_and_goes_without_a_restart(running: Reloadable) -> None:
    with client_of(running.vault, PHOTOS) as client, HandClient(running.vault) as other:
        require_refused(client)
        tenant_file = write_tenant(PHOTOS, running.tenants)
        require_refused(client)  # nobody was told yet
        lines = running.reload()
        assert len({line["generation"] for line in lines}) == 1
        assert {line["process"] for line in lines} == {"serve", "keeper-0", "keeper-1", "front"}
        client.enroll()
        other.enroll()
        tenant_file.unlink()
        running.reload()
        require_refused(client)  # though its token was looked at before, and has not expired
        assert other.release() == [b"an envelope"]


def test_key_that_was_taken_out_signs_no_token_any_more(running: Reloadable) -> None:
    tenant = running.vault.tenant
    successor = generate_tenant(name=tenant.name, issuer=tenant.issuer)
    with HandClient(running.vault) as client:
        client.enroll()
        (running.tenants / "notes.jwks.json").write_text(json.dumps(successor.jwks()), encoding="utf-8")
        running.reload()
        require_refused(client)  # though it was let in a moment ago
        token = issue_account_token(successor, account=client.account, audience=AUDIENCE, now_seconds=int(time.time()))
        client.metadata = (("authorization", f"Bearer {token}"),)
        assert client.release() == [b"an envelope"]


def test_keeper_alone_refuses_the_tokens_of_a_tenant_that_has_gone(running: Reloadable) -> None:
    tenant_file = write_tenant(PHOTOS, running.tenants)
    running.reload()
    with client_of(running.vault, PHOTOS) as client:
        client.enroll()
        tenant_file.unlink()
        before = len(running.lines("configuration_reloaded"))
        for keeper in running.children("run-keeper-child"):
            keeper.send_signal(signal.SIGHUP)
        wait_until(lambda: len(running.lines("configuration_reloaded")) == before + 2)
        require_refused(client)
        refused = running.lines("keeper_refused")
        assert [line["reason"] for line in refused] == ["TOKEN_REJECTED"]  # the front let it pass


def test_faulty_file_changes_nothing_not_even_for_processes_that_start_later(running: Reloadable) -> None:
    faulty = write_tenant(PHOTOS, running.tenants)
    faulty.write_text(faulty.read_text(encoding="utf-8").replace("rp_id", "rp_identity"), encoding="utf-8")
    with HandClient(running.vault) as client:
        client.enroll()
        loaded_at = running.metric("strongroom_configuration_last_load_timestamp_seconds")
        for line in running.reload("configuration_reload_failed"):
            assert "photos.toml: rp_identity: is not a known key" in line["why"]
        assert client.release() == [b"an envelope"]
        assert running.metric("strongroom_configuration_reload_failures_total") == 1
        assert running.metric("strongroom_configuration_last_load_timestamp_seconds") == loaded_at
        [front], keepers = running.children("front"), running.children("run-keeper-child")
        for process in (*keepers, front):
            process.kill()
        wait_until(lambda: len(running.children("run-keeper-child")) == 2 and running.vault.is_serving())
        assert client.release() == [b"an envelope"]
        faulty.write_text(faulty.read_text(encoding="utf-8").replace("rp_identity", "rp_id"), encoding="utf-8")
        running.reload()
    with client_of(running.vault, PHOTOS) as client:
        client.enroll()


def test_rates_change_at_once_and_what_cannot_is_named(running: Reloadable) -> None:
    text = running.file.read_text(encoding="utf-8")
    account = '[rates.account]\nread = ["1000000/min"]\nbegin = ["{}"]'
    assert account.format("1000000/min") in text
    changed = text.replace(account.format("1000000/min"), account.format("1/h"))
    running.file.write_text(changed.replace("sqlite:///data/vault", "sqlite:///data/other"), encoding="utf-8")
    with HandClient(running.vault) as client:
        client.begin_registration()
        assert {line["needs_restart"] for line in running.reload()} == {"database"}
        assert running.metric("strongroom_configuration_keys_waiting") == 1
        client.begin_registration()
        with pytest.raises(Told, match="RESOURCE_EXHAUSTED"):
            client.begin_registration()
        client.vault_reply()  # from the database that it was


def test_calls_under_way_do_not_notice(running: Reloadable) -> None:
    stop, failures = threading.Event(), list[Exception]()

    def store_until_told() -> None:
        with HandClient(running.vault) as client:
            client.enroll()
            while not stop.is_set():  # stores, of which a day may have any number
                try:
                    client.store(b"an envelope")
                    assert client.vault_reply().attempts_left > 0
                except Exception as error:  # noqa: BLE001  whatever it is, the test tells
                    failures.append(error)
                    return

    threads = [threading.Thread(target=store_until_told) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        write_tenant(PHOTOS, running.tenants)
        running.reload()
        (running.tenants / "photos.toml").unlink()
        running.reload()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_burst_of_signals_ends_nobody(running: Reloadable) -> None:
    pids = {process.pid for process in psutil.Process(running.vault.pid).children()}
    for _ in range(200):
        for pid in (running.vault.pid, *pids):
            os.kill(pid, signal.SIGHUP)
    running.reload()
    assert {process.pid for process in psutil.Process(running.vault.pid).children()} == pids
    assert running.vault.is_serving()
