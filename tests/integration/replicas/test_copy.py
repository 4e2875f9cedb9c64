"""`strongroomd migrate copy`: a vault goes from its file to PostgreSQL, whole, and is served from one place alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import event_pb2
from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SHAPE, until
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, migrate
from tests.integration.faults.checker import read_chains, read_postgres_chains
from tests.integration.faults.clients import ENVELOPE, WRONG, ChroniclingClient

ACCOUNTS = 5
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@dataclass
class Move:
    """A vault in a file, its service stopped, and an empty migrated database."""

    vault: DevelopmentVault
    clients: list[ChroniclingClient]
    owner_url: str
    service_url: str

    @property
    def file(self) -> Path:
        return self.vault.files.folder / "data" / "vault.db"

    @property
    def command(self) -> list[str]:
        program = [sys.executable, "-P", "-m", "strongroom_service.cli.main", "migrate", "copy"]
        return [*program, "--from", f"sqlite:///{self.file}", "--to", self.owner_url, "--single-node"]

    def copy(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command, check=False, capture_output=True, text=True)

    def serve_from_postgres(self) -> None:
        config = self.vault.files.config_file
        text = config.read_text(encoding="utf-8")
        text = text.replace('"sqlite:///data/vault.db"', f'"{self.service_url}"\ndata_dir = "data"')
        if "[postgresql]\n" in text:
            text = text.replace("[postgresql]\n", "[postgresql]\nsingle_node = true\n")
        config.write_text(text, encoding="utf-8")
        self.vault.serve()


@pytest.fixture
def move(postgres_server: PostgresServer, postgres_database: str) -> Iterator[Move]:
    if not postgres_server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", SERVICE_ROLE):
        postgres_server.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")
    migrate(postgres_database)
    service_url = postgres_server.url(postgres_database.rpartition("/")[2], user=SERVICE_ROLE)
    with TemporaryDirectory(prefix="move-") as folder, DevelopmentVault.start(Path(folder), shape=SHAPE) as vault:
        clients = [ChroniclingClient(vault) for _ in range(ACCOUNTS)]
        for number, client in enumerate(clients):
            client.enroll()
            for _ in range(number):
                with pytest.raises(Told):
                    client.release(WRONG)
        vault.stop()
        yield Move(vault=vault, clients=clients, owner_url=postgres_database, service_url=service_url)
        for client in clients:
            client.channel.close()


def refused_to_serve(vault: DevelopmentVault) -> str:
    with pytest.raises(RuntimeError) as told:
        vault.serve()
    return str(told.value)


def test_moved_vault_goes_on_with_every_record_event_and_position(move: Move) -> None:
    chains = read_chains(move.file)
    done = move.copy()
    assert done.returncode == 0, done.stderr
    assert f"{ACCOUNTS} records have moved" in done.stdout
    assert read_postgres_chains(move.owner_url) == chains

    assert "this vault has moved to 127.0.0.1:" in refused_to_serve(move.vault)
    move.serve_from_postgres()
    for number, client in enumerate(move.clients):
        assert client.vault_reply().attempts_left == 10 - number
        assert client.release() == [ENVELOPE]
        assert [event.kind for event in client.history()][:2] == [
            event_pb2.EVENT_KIND_REGISTER,
            event_pb2.EVENT_KIND_STORE,
        ]
    with psycopg.connect(move.owner_url) as connection:
        connection.execute("SELECT 1")
        [(lowest, highest, count)] = connection.execute(
            "SELECT min(position), max(position), count(*) FROM feed"
        ).fetchall()
        assert (lowest, highest) == (1, count)


def test_source_that_has_moved_elsewhere_is_not_moved_again(move: Move) -> None:
    with contextlib.closing(sqlite3.connect(move.file)) as connection, connection:
        connection.execute("INSERT INTO moved (id, destination) VALUES (1, 'db.example:5432/other')")
    done = move.copy()
    assert (done.returncode, "was moved to db.example:5432/other" in done.stderr) == (1, True)


def test_second_copy_says_that_it_is_done_already(move: Move) -> None:
    assert move.copy().returncode == 0
    again = move.copy()
    assert (again.returncode, "is a finished copy already" in again.stderr) == (1, True)


def test_service_that_runs_is_not_copied_from(move: Move) -> None:
    move.vault.serve()
    done = move.copy()
    assert (done.returncode, "only one may write the database" in done.stderr) == (1, True)
    with psycopg.connect(move.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM copies").fetchone() == (0,)


def test_database_with_a_vault_of_its_own_is_not_copied_over(move: Move) -> None:
    with psycopg.connect(move.owner_url) as connection:
        connection.execute("INSERT INTO vault (id, version, sealed) VALUES (1, 1, 'another')")
    done = move.copy()
    assert (done.returncode, "has a vault of its own" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "table",
    ["records", *(pytest.param(later, marks=pytest.mark.verify) for later in ("events", "feed", "vault", "feed_end"))],
)
def test_copy_killed_at_any_table_is_served_from_nowhere_but_the_source_and_goes_on(move: Move, table: str) -> None:
    """Another hand holds the table, so that the copy comes to it and waits there; then it is killed."""
    with psycopg.connect(move.owner_url) as holder:
        holder.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())  # readers pass, writers wait
        running = subprocess.Popen(move.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with psycopg.connect(move.owner_url, autocommit=True) as looker:
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            until(lambda: looker.execute(waits.encode()).fetchone() == (1,), "the copy waits")
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    move.vault.serve()  # the source is whole, and goes on changing
    move.clients[0].release()
    move.vault.stop()
    source = move.vault.files.config_file.read_text(encoding="utf-8")
    with pytest.raises(RuntimeError, match="a vault is being copied here"):
        move.serve_from_postgres()
    move.vault.files.config_file.write_text(source, encoding="utf-8")

    done = move.copy()
    assert done.returncode == 0, done.stderr
    assert read_postgres_chains(move.owner_url) == read_chains(move.file)
    assert "this vault has moved" in refused_to_serve(move.vault)


def test_row_that_differs_at_the_end_hands_nothing_over(move: Move) -> None:
    """A trigger stands for a fault of whatever kind between writing and what is stored."""
    with psycopg.connect(move.owner_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.sealed = set_byte(NEW.sealed, 40, (get_byte(NEW.sealed, 40) + 1) % 256); RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER spoil BEFORE INSERT ON records FOR EACH ROW WHEN (NEW.version = 3) EXECUTE FUNCTION spoil()"
        )
    done = move.copy()
    assert (done.returncode, "are not what was copied" in done.stderr) == (1, True), done.stderr
    move.vault.serve()
    assert move.clients[1].release() == [ENVELOPE]
