"""`strongroomd keys` on a running service: every kind of key is replaced, and every account still restores."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from strongroom.v1 import event_pb2
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import Said, strongroomd

SHAPE = VaultShape(keepers=2, keeper_settings={"reopen_seconds": 0.1})
ACCOUNTS = 4
PATIENCE_SECONDS = 60.0
CHECKER = Path(__file__).parents[3] / "deploy" / "evidence" / "check_export.py"


@pytest.fixture
def vault() -> Iterator[DevelopmentVault]:
    # Not under the test's own name: a Unix socket's address is short.
    with (
        TemporaryDirectory(prefix="keys-") as folder,
        DevelopmentVault.start(Path(folder) / "vault", shape=SHAPE) as started,
    ):
        yield started


@pytest.fixture
def clients(vault: DevelopmentVault) -> Iterator[list[HandClient]]:
    opened = [HandClient(vault).__enter__() for _ in range(ACCOUNTS)]
    for client in opened:
        client.enroll()
    yield opened
    for client in opened:
        client.__exit__(None, None, None)


def keys(vault: DevelopmentVault, *arguments: str) -> Said:
    return strongroomd(vault.files.config_file, "keys", *arguments)


def did(vault: DevelopmentVault, *arguments: str) -> list[str]:
    said = strongroomd(vault.files.config_file, *arguments)
    assert said.code == 0, said
    return said.lines


def told(vault: DevelopmentVault, *arguments: str) -> dict[str, Any]:
    """Return what a program is told: one object on standard output, and nothing else there."""
    document: dict[str, Any] = json.loads("\n".join(did(vault, *arguments, "--output", "json")))
    return document


def states(vault: DevelopmentVault) -> dict[str, str]:
    listed = keys(vault, "list", "--output", "json")
    assert listed.code == 0, listed
    return {key["label"].removeprefix("strongroom-"): key["state"] for key in json.loads("\n".join(listed.lines))}


def retired(vault: DevelopmentVault, label: str) -> None:
    """Retire, as soon as it may be."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (said := keys(vault, "retire", label)).code != 0:
        assert "too short a time" in said.errors, said
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_kek_and_seal_are_replaced_beside_the_service_and_the_old_ones_destroyed(
    vault: DevelopmentVault, clients: list[HandClient]
) -> None:
    before = vault.pid
    for kind in ("kek", "seal"):
        assert did(vault, "keys", "rotate", kind)[-1].startswith(f"strongroom-{kind}-2 is in use.")
    assert [states(vault)[f"{kind}-1"] for kind in ("kek", "seal")] == ["retiring", "retiring"]
    for client in clients:
        client.release()  # under the old keys still, and this moves the record to the new seal

    early = keys(vault, "rewrap")
    assert (early.code, "run `strongroomd checkpoint make` first" in early.errors) == (1, True)
    did(vault, "checkpoint", "make")
    refused = keys(vault, "retire", "strongroom-kek-1")
    assert (refused.code, f"{ACCOUNTS} of {ACCOUNTS} records need strongroom-kek-1" in refused.errors) == (1, True)
    assert did(vault, "keys", "rewrap") == [f"{ACCOUNTS} records, moved {ACCOUNTS}, refused 0, left 0."]
    rewrapped = told(vault, "keys", "rewrap")
    assert rewrapped.pop("said") == [f"{ACCOUNTS} records, moved 0, refused 0, left 0."]
    assert rewrapped == {"looked_at": ACCOUNTS, "moved": 0, "refused": 0, "left": 0}
    for kind in ("kek", "seal"):
        retired(vault, f"strongroom-{kind}-1")

    live = keys(vault, "destroy", "strongroom-kek-2", "--confirm", "strongroom-kek-2")
    assert (live.code, "only what `keys retire` has retired can be destroyed" in live.errors) == (1, True)
    mistyped = keys(vault, "destroy", "strongroom-kek-1", "--confirm", "strongroom-kek-2")
    assert (mistyped.code, "not confirmed" in mistyped.errors) == (1, True)
    assert states(vault)["kek-1"] == "retired"
    taken_back = told(vault, "keys", "take-back", "strongroom-kek-1")
    assert taken_back["key"]["state"] == states(vault)["kek-1"] == "retiring"
    retired(vault, "strongroom-kek-1")
    destroyed = told(vault, "keys", "destroy", "strongroom-kek-1", "--confirm", "strongroom-kek-1")
    assert destroyed["key"]["state"] == states(vault)["kek-1"] == "destroyed"

    needed = keys(vault, "destroy", "strongroom-seal-1", "--confirm", "strongroom-seal-1")
    assert (needed.code, "events are sealed under strongroom-seal-1" in needed.errors) == (1, True)
    assert states(vault)["seal-1"] == "retired"

    for client in clients:
        client.release()
        kinds = [event.kind for event in client.events().events]
        assert kinds.count(event_pb2.EVENT_KIND_REWRAP) == 1
        assert kinds[-1] == event_pb2.EVENT_KIND_REGISTER  # sealed under the retired key, and still read
    assert vault.pid == before
    exported = vault.files.folder / "events.export"
    did(vault, "events", "export", "--file", str(exported))
    pin = vault.files.identity_fingerprint
    checked = subprocess.run(
        [sys.executable, str(CHECKER), str(exported), "--pin", pin], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    vault.stop()
    vault.serve()  # no key that is destroyed is asked for
    clients[0].release()


def test_transport_and_identity_are_replaced_as_clients_learn_of_them(
    vault: DevelopmentVault, clients: list[HandClient]
) -> None:
    rotated = told(vault, "keys", "rotate", "transport")
    assert [(key["label"], key["state"]) for key in rotated["keys"]] == [
        ("strongroom-transport-1", "retiring"),
        ("strongroom-transport-2", "active"),
    ]
    clients[0].release()
    pin = vault.files.identity_fingerprint
    shown = did(vault, "keys", "rotate", "identity")
    fingerprint = shown[-1].rpartition(" ")[2]
    assert (len(fingerprint), states(vault)["identity-2"]) == (64, "prepared")
    wrong = keys(vault, "rotate", "identity", "--clients-pin", pin)
    assert (wrong.code, "is not the fingerprint of strongroom-identity-2" in wrong.errors) == (1, True)
    did(vault, "keys", "rotate", "identity", "--clients-pin", fingerprint)
    assert states(vault)["identity-2"] == "active"
    assert vault.files.identity_fingerprint == fingerprint != pin
    (vault.files.folder / "data" / "identity.fingerprint").write_text(f"{pin}\n", encoding="ascii")
    did(vault, "keys", "rotate", "identity", "--clients-pin", fingerprint)  # as if cut short before that was written
    assert vault.files.identity_fingerprint == fingerprint
    assert "identity-3" not in states(vault)
    clients[0].release()
    early = keys(vault, "retire", "strongroom-transport-1")
    assert (early.code, "too short a time" in early.errors) == (1, True)


@pytest.mark.verify
def test_rewrap_that_is_killed_goes_on(vault: DevelopmentVault, clients: list[HandClient]) -> None:
    did(vault, "keys", "rotate", "kek")
    did(vault, "checkpoint", "make")
    command = [sys.executable, "-P", "-m", "strongroom_service.cli.main", "keys", "rewrap", "--rate", "0.5"]
    with subprocess.Popen([*command, "--config", str(vault.files.config_file)], stdout=subprocess.DEVNULL) as slow:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(moved(client) for client in clients):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        slow.send_signal(signal.SIGKILL)
    count = sum(moved(client) for client in clients)
    assert 0 < count < ACCOUNTS
    for client in clients:
        client.release()
    assert did(vault, "keys", "rewrap") == [f"{ACCOUNTS} records, moved {ACCOUNTS - count}, refused 0, left 0."]
    assert [
        sum(event.kind == event_pb2.EVENT_KIND_REWRAP for event in client.events().events) for client in clients
    ] == [1] * ACCOUNTS


def moved(client: HandClient) -> bool:
    return any(event.kind == event_pb2.EVENT_KIND_REWRAP for event in client.events().events)


def test_token_profile_is_changed_by_a_rotation(vault: DevelopmentVault, clients: list[HandClient]) -> None:
    """A vault goes to a token, or a release of one, that has no GCM: by the next KEK, while the one before opens."""
    vault.stop()
    config = vault.files.config_file
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[pkcs11]\n", '[pkcs11]\nprofile = "derived"\n', 1), encoding="utf-8")
    vault.serve()
    did(vault, "keys", "rotate", "kek")
    for client in clients:
        client.release()
    did(vault, "checkpoint", "make")
    assert did(vault, "keys", "rewrap") == [f"{ACCOUNTS} records, moved {ACCOUNTS}, refused 0, left 0."]
    retired(vault, "strongroom-kek-1")
    for client in clients:
        client.release()
