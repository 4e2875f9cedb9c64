"""Keys are replaced while three replicas answer: each takes them up by itself, and nobody notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.stepped_vault import SHAPE
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, Replicas
from tests.integration.replicas.test_rolling_restart import PatientClients, check

SHAPED = replace(
    SHAPE,
    keepers=1,
    keeper_settings={**SHAPE.keeper_settings, "reopen_seconds": 0.5},
    postgresql={"single_node": True},
)


@pytest.fixture
def rotating(postgres_server: PostgresServer) -> Iterator[Replicas]:
    """Three replicas of their own: other tests go back to a release that knows no rotation."""
    with TemporaryDirectory(prefix="rotating-") as folder, ExitStack() as held:
        name = postgres_server.create_database()
        held.callback(postgres_server.drop_database, name)
        yield held.enter_context(
            Replicas.started(
                owner_url=postgres_server.url(name),
                service_url=postgres_server.url(name, user=SERVICE_ROLE),
                folder=Path(folder),
                shape=SHAPED,
            )
        )


@pytest.mark.verify
def test_replicas_take_up_new_keys_while_they_answer(rotating: Replicas) -> None:
    first, *others = rotating.vaults
    with PatientClients(rotating, 4) as clients:
        clients.goes_on()
        for kind in ("kek", "seal"):
            first.run_command("keys", "rotate", kind)
            clients.goes_on()
        for vault in others:
            listed = json.loads(vault.run_command("keys", "list", "--output", "json"))
            active = {key["label"] for key in listed if key["state"] == "active"}
            assert {"strongroom-kek-2", "strongroom-seal-2"} < active
        first.run_command("checkpoint", "make")
        said = others[0].run_command("keys", "list")
        assert "strongroom-kek-1" in said
        assert " refused 0, left 0." in first.run_command("keys", "rewrap", "--rate", "1000")
        clients.goes_on()
        for kind in ("kek", "seal"):
            retire(rotating, f"strongroom-{kind}-1")
            clients.goes_on()
        first.run_command("keys", "destroy", "strongroom-kek-1", "--confirm", "strongroom-kek-1")
        clients.goes_on()
        clients.end()
        check(rotating, clients)


def retire(replicas: Replicas, label: str) -> None:
    """From another replica than made the checkpoint: with that checkpoint brought there."""
    here, there = replicas.vaults[0], replicas.vaults[1]
    folder = there.files.folder / "data" / "checkpoints"
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in (here.files.folder / "data" / "checkpoints").glob("checkpoint-*.txt"):
        (folder / path.name).write_bytes(path.read_bytes())
    there.run_command("keys", "retire", label)
