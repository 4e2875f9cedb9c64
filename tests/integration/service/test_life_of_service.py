"""Starting, watching and ending the service; each test has a vault of its own."""

from __future__ import annotations

import os
import re
import signal
import stat
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import grpc
import psutil
import pytest
import trustme
from grpc_health.v1 import health_pb2

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.health import SERVICE
from tests.fakes.hand_client import HandClient, Told
from tests.integration.service.daemons import runs

_PATIENCE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


def metrics_of(vault: DevelopmentVault) -> dict[str, float]:
    with urllib.request.urlopen(vault.files.metrics_url, timeout=5) as page:  # noqa: S310  our own http URL
        text = page.read().decode()
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


def health_of(vault: DevelopmentVault, service: str) -> int:
    with grpc.secure_channel(vault.address, vault.channel_credentials()) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        return int(check(health_pb2.HealthCheckRequest(service=service)).status)  # neither token nor deadline


def keepers_of(vault: DevelopmentVault) -> list[psutil.Process]:
    children = psutil.Process(vault.pid).children()
    return [child for child in children if runs(child, "run-keeper-child")]


def test_metrics_are_there_from_the_start_and_count(development_vault: DevelopmentVault) -> None:
    method = f'grpc_method="StoreEnvelope",grpc_service="{SERVICE}",grpc_type="unary"'
    handled = f'grpc_server_handled_total{{grpc_code="OK",{method}}}'
    granted = 'strongroom_judged_total{operation="store",outcome="granted"}'
    before = metrics_of(development_vault)
    assert f'grpc_server_handled_total{{grpc_code="DataLoss",{method}}}' in before
    with HandClient(development_vault) as client:
        client.enroll()
    after = metrics_of(development_vault)
    assert (after[handled] - before[handled], after[granted] - before[granted]) == (1, 1)
    assert after["strongroom_store_commit_seconds_count"] > before["strongroom_store_commit_seconds_count"]
    assert (after['strongroom_ready{component="keepers"}'], after["strongroom_single_user"]) == (1, 1)
    judged = 'strongroom_keeper_calls_total{call="judge",result="ok"}'
    assert after[judged] - before[judged] == 2  # registration and store


def test_second_keeper_is_connected_too_in_the_end(development_vault: DevelopmentVault) -> None:
    wait_until(lambda: metrics_of(development_vault)["strongroom_keepers_connected"] == 2)


def test_health_needs_neither_token_nor_deadline(development_vault: DevelopmentVault) -> None:
    assert health_of(development_vault, "") == health_pb2.HealthCheckResponse.SERVING
    assert health_of(development_vault, SERVICE) == health_pb2.HealthCheckResponse.SERVING


def test_what_was_stored_outlives_the_service(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault:
        with HandClient(vault) as client:
            client.enroll(b"kept")
        assert vault.stop() == 0
        assert "Already initialised." in vault.init()
        vault.serve()
        with HandClient(vault, client.account, passkey=client.passkey) as again:
            assert again.release() == [b"kept"]


def test_keys_cannot_be_made_while_the_service_holds_them(tmp_path: Path) -> None:
    with (
        DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault,
        pytest.raises(RuntimeError, match=r"ended with 1: .*stop it first"),
    ):
        vault.init()


def test_key_that_the_vault_knows_is_never_remade(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path, VaultShape(keepers=1)))
    assert "Made key strongroom-kek-1." in vault.init()
    for path in (tmp_path / "token").rglob("*.object"):
        if path.name != "token.object":
            path.unlink()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"ended with 1: key strongroom-.* is missing"):
            vault.init()


def test_front_says_that_it_cannot_serve_while_no_keeper_is_there(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault, HandClient(vault) as client:
        [keeper] = keepers_of(vault)
        keeper.suspend()  # hangs: found out by its heartbeat, killed and replaced
        wait_until(lambda: health_of(vault, SERVICE) == health_pb2.HealthCheckResponse.NOT_SERVING)
        assert health_of(vault, "") == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(Told) as told:
            client.vault_reply()
        assert (told.value.code, told.value.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
        wait_until(vault.is_serving)
        assert keepers_of(vault) != [keeper]
        client.enroll()


def test_calls_under_way_are_answered_before_the_service_ends(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault, HandClient(vault) as client:
        client.enroll()
        answers: list[bytes | Told] = []
        begun = threading.Event()

        def release_on_and_on() -> None:
            try:
                while True:
                    answers.extend(client.release())
                    begun.set()
            except Told as told:
                answers.append(told)

        caller = threading.Thread(target=release_on_and_on)
        caller.start()
        assert begun.wait(_PATIENCE_SECONDS)
        assert vault.stop() == 0
        caller.join()
    *released, last = answers
    assert set(released) == {b"an envelope"}
    # Between two calls, or as one was being sent that was not begun. The quota is the other good end.
    assert isinstance(last, Told)
    assert last.code.name in {"UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED"}
    assert "child_killed" not in vault.log_file.read_text(encoding="utf-8")


def test_front_says_that_it_ends_and_answers_still_while_others_learn_of_it(tmp_path: Path) -> None:
    shape = VaultShape(keepers=1, settings={"drain_wait_seconds": 4.0})
    with DevelopmentVault.start(tmp_path, shape=shape) as vault, HandClient(vault) as client:
        client.enroll()
        os.kill(vault.pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while vault.is_serving():
            assert time.monotonic() < deadline
        assert client.release() == [b"an envelope"]
        assert vault.stop() == 0


def test_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault:
        other = trustme.CA(organization_name="another authority")
        renewed = other.issue_cert("localhost", "127.0.0.1")
        (tmp_path / "server.pem").write_bytes(b"half a certificate")
        assert vault.is_serving()  # the files are not fit: the good one stays
        renewed.private_key_pem.write_to_path(tmp_path / "server-key.pem")
        renewed.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
        assert not vault.is_serving()
        other.cert_pem.write_to_path(vault.ca_file)
        assert vault.is_serving()


def test_files_of_the_service_are_for_its_user_alone(development_vault: DevelopmentVault) -> None:
    folder = development_vault.files.folder
    for path in [*(folder / "data").iterdir(), *(folder / "keeper").iterdir(), folder / "run" / "keys.lock"]:
        if path.name != "identity.fingerprint":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_pin_is_in_no_argument_or_environment(development_vault: DevelopmentVault) -> None:
    pin = (development_vault.files.folder / "token" / "development.pin").read_text(encoding="ascii").strip()
    processes = [psutil.Process(development_vault.pid), *psutil.Process(development_vault.pid).children()]
    for process in processes:
        assert pin not in " ".join(process.cmdline())
        assert pin not in str(process.environ())
    assert pin not in development_vault.log_file.read_text(encoding="utf-8")


def test_wrong_pin_ends_the_service_at_once(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path, VaultShape(keepers=1)))
    vault.init()
    pin_file = tmp_path / "token" / "development.pin"
    pin_file.chmod(0o600)
    pin_file.write_text("wrong", encoding="ascii")
    with pytest.raises(RuntimeError, match=r"(?s)the service ended.*PIN"):
        vault.serve()
    # Tried once by the one keeper: tokens lock after a few wrong ones.
    assert vault.log_file.read_text(encoding="utf-8").count('"event": "child_started"') == 2


def test_faulty_configuration_is_told_with_its_keys(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path, VaultShape(keepers=1)))
    config = vault.files.config_file
    config.write_text(config.read_text(encoding="utf-8").replace("run_dir", "rundir"), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1: .*rundir: is not a known key"):
        vault.run_command("init")


def test_second_interrupt_does_not_cut_the_end_short(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1)) as vault:
        psutil.Process(vault.pid).send_signal(signal.SIGINT)
        assert vault.stop() == 0


def test_watch_of_the_health_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with (
        DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1, settings={"drain_grace_seconds": 300})) as vault,
        grpc.secure_channel(vault.address, vault.channel_credentials()) as channel,
    ):
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest(service=SERVICE))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert vault.stop() == 0  # within the test's own timeout, far below the grace
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
