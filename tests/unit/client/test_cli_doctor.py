"""`strongroom doctor`: each check is made to fail, and says how to mend it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from strongroom_client.cli.doctor.findings import Outcome
from strongroom_client.memory import AccountRef, decode_memory, encode_memory
from strongroom_client.verification.positions import Position
from tests.fakes.device import Device
from tests.fakes.doctor import edit, found_by, make_healthy, token

NAMES = {
    "configuration",
    "state_folder",
    "memory_folder",
    "passkey_file",
    "memory",
    "account_token",
    "account_token_file",
    "reachable",
    "tls",
    "vault_answers",
    "clock",
    "pins",
    "authenticator",
    "archives",
    "archive_tools",
}


@pytest.fixture
def healthy(device: Device) -> Device:
    make_healthy(device)
    return device


def test_nothing_is_wrong_with_a_healthy_device_and_nothing_is_changed(healthy: Device) -> None:
    def picture() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in healthy.state.rglob("*") if path.is_file()}

    before = picture()
    code, found = found_by(healthy)
    assert set(found) == NAMES
    outcomes = {check: finding["outcome"] for check, finding in found.items()}
    assert outcomes.pop("archive_tools") in {"ok", "warn"}
    assert outcomes.pop("authenticator") == "warn", "a software one"
    assert {check for check, outcome in outcomes.items() if outcome != "ok"} == set(), found
    assert code == 0
    assert picture() == before


def test_findings_are_told_in_words(healthy: Device) -> None:
    healthy.state.chmod(0o770)
    told = healthy.at_vault("doctor")
    assert told.returncode == 9
    assert "FAIL  state_folder" in told.stdout
    assert "chmod 700" in told.stdout


def unconfigured(device: Device) -> None:
    (device.state / "strongroom.toml").unlink()


def forget_token(device: Device) -> None:
    (device.state / "token").unlink()


def unbelieved_ca(device: Device) -> None:
    (device.state / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())


def no_ca(device: Device) -> None:
    (device.state / "ca.pem").write_text("nothing")


def another_pin(device: Device) -> None:
    edit(device, device.vault.keys.fingerprint.hex(), "00" * 32)


def damaged_memory(device: Device) -> None:
    (memory,) = (device.state / "memory").glob("*/memory.json")
    memory.write_text("{}")


def contested_memory(device: Device) -> None:
    (path,) = (device.state / "memory").glob("*/memory.json")
    owner = AccountRef(vault=json.loads(path.read_text())["vault"], tenant="acme", account="alice")
    memory = replace(decode_memory(path.read_bytes(), owner=owner), contested=Position(2, b"h" * 32))
    path.write_bytes(encode_memory(memory))


def open_memory(device: Device) -> None:
    (device.state / "memory").chmod(0o777)


def readable(name: str) -> Callable[[Device], None]:
    return lambda device: (device.state / name).chmod(0o644)


def written(content: str) -> Callable[[Device], None]:
    return lambda device: _write(device.state / "token", content)


def _write(path: Path, content: str) -> None:
    path.write_text(content)


def nobody_there(device: Device) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        _address(device, f"localhost:{probe.getsockname()[1]}")


def _address(device: Device, address: str) -> None:
    lines = (device.state / "strongroom.toml").read_text().splitlines()
    name = next(line for line in lines if line.startswith("vault = ")).removeprefix("vault = ")
    kept = [line for line in lines if not line.startswith("vault = ")]
    (device.state / "strongroom.toml").write_text("\n".join([f'vault = "{address}"', f"name = {name}", *kept]) + "\n")


BREAKS: dict[str, tuple[Callable[[Device], None], str, str]] = {
    "no configuration": (unconfigured, "configuration", "cannot be read"),
    "an unknown setting": (lambda device: edit(device, "tenant", "tenent"), "configuration", "must be there"),
    "a state folder that others change": (lambda device: device.state.chmod(0o777), "state_folder", "alone"),
    "a memory folder that others change": (open_memory, "memory_folder", "alone"),
    "passkeys that others read": (readable("passkeys.json"), "passkey_file", "644"),
    "a damaged memory": (damaged_memory, "memory", "damaged"),
    "a vault that went back": (contested_memory, "memory", "does not go on"),
    "no token": (forget_token, "account_token", "cannot be read"),
    "a token that is none": (written("abc"), "account_token", "no JWT"),
    "an expired token": (written(token(exp=time.time() - 1)), "account_token", "expired"),
    "a token without an end": (written(token(exp="never")), "account_token", "expired"),
    "another's token": (written(token(sub="bob")), "account_token", "another account"),
    "a token that others read": (readable("token"), "account_token_file", "644"),
    "a name that nobody knows": (lambda device: _address(device, "nobody.invalid:1"), "reachable", "not known"),
    "nobody at the port": (nobody_there, "reachable", "refused"),
    "another authority's certificate": (unbelieved_ca, "tls", "not believed"),
    "no certificates to believe": (no_ca, "tls", "no certificates"),
    "another vault's key": (another_pin, "pins", "identity key"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_each_check_fails_when_what_it_looks_at_is_broken(broken: str, healthy: Device) -> None:
    damage, check, said = BREAKS[broken]
    damage(healthy)
    code, found = found_by(healthy)
    assert code == 9
    assert found[check]["outcome"] == "fail", found
    assert said in found[check]["found"]
    failed = {name for name, finding in found.items() if finding["outcome"] == "fail"}
    assert failed == {check}, "one cause, one finding"


def test_state_that_others_may_read_is_warned_of(healthy: Device) -> None:
    healthy.state.chmod(0o755)
    code, found = found_by(healthy)
    assert (code, found["state_folder"]["outcome"]) == (0, "warn")


def test_device_that_is_not_enrolled_is_warned_of(device: Device) -> None:
    (device.state / "token").write_text(token())
    (device.state / "token").chmod(0o600)
    code, found = found_by(device)
    assert (code, found["memory"]["outcome"]) == (0, "warn")


def test_vault_without_pin_is_warned_of(healthy: Device) -> None:
    edit(healthy, f'pins = ["{healthy.vault.keys.fingerprint.hex()}"]', 'unpinned = true\nname = "other"')
    code, found = found_by(healthy)
    assert (code, found["pins"]["outcome"]) == (0, "warn")


@pytest.mark.parametrize(
    ("ahead_ms", "outcome"), [(0, "ok"), (30_000, "warn"), (-30_000, "warn"), (200_000, "fail"), (-200_000, "fail")]
)
def test_clock_is_compared_with_the_vaults(ahead_ms: int, outcome: str, healthy: Device) -> None:
    healthy.vault.now -= ahead_ms
    code, found = found_by(healthy)
    assert found["clock"]["outcome"] == outcome
    assert ("ahead" if ahead_ms > 0 else "behind") in found["clock"]["found"] or not ahead_ms
    assert code == (9 if outcome == "fail" else 0) or found["pins"]["outcome"] == "fail"


@pytest.fixture
def other_port() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers whatever is said to it with `answers`."""
    answers: list[bytes] = []
    with socket.create_server(("localhost", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(b"".join(answers))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], answers
        server.shutdown(socket.SHUT_RDWR)


def test_port_that_speaks_something_else_is_told(healthy: Device, other_port: tuple[int, list[bytes]]) -> None:
    port, answers = other_port
    answers.append(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    _address(healthy, f"localhost:{port}")
    code, found = found_by(healthy)
    assert (code, found["tls"]["outcome"]) == (9, "fail")
    assert "no TLS" in found["tls"]["found"]
    assert found["vault_answers"]["outcome"] == "skip"


def test_connection_without_tls_is_warned_of(healthy: Device, other_port: tuple[int, list[bytes]]) -> None:
    _address(healthy, f"localhost:{other_port[0]}")
    edit(healthy, 'ca_file = "ca.pem"\n', "insecure = true\n")
    code, found = found_by(healthy)
    assert (code, found["tls"]["outcome"]) == (9, "warn")
    assert found["vault_answers"]["outcome"] == "fail"


def test_addresses_of_several_replicas_are_not_looked_at_one_by_one(healthy: Device) -> None:
    _address(healthy, "ipv4:127.0.0.1:1,127.0.0.1:2")
    _, found = found_by(healthy)
    assert found["reachable"]["outcome"] == "skip"
    assert found["vault_answers"]["outcome"] == "fail"


def test_outcomes_are_those_that_are_documented() -> None:
    assert {outcome.value for outcome in Outcome} == {"ok", "warn", "fail", "skip"}
