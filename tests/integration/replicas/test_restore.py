"""A backup of the database that is put back: who notices, what it undoes, and how it is gone on from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from strongroom_client.errors import VaultWentBack
from tests.campaign.history import Chronicle
from tests.campaign.library_account import LibraryAccount
from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SHAPE, until
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, Replicas
from tests.integration.faults.checker import read_postgres_chains
from tests.integration.faults.clients import BUDGET, ENVELOPE, WRONG, ChroniclingClient

ENROLLED = 2


@dataclass
class Rehearsal:
    """One replica with one keeper, which sees everything, on a database of its own; and its backup."""

    server: PostgresServer
    database: str
    replicas: Replicas
    file: Path

    def back_up(self) -> None:
        self.server.run(
            "pg_dump", "--format=custom", f"--file={self.file}", f"--dbname={self.server.url(self.database)}"
        )

    def put_back(self) -> None:
        """As an operator does, with the service running: it finds its way back by itself."""
        self.server.drop_database(self.database)
        self.server.execute(f"CREATE DATABASE {self.database} TEMPLATE template0")
        self.server.run("pg_restore", f"--dbname={self.server.url(self.database)}", str(self.file))


@pytest.fixture
def rehearsal(postgres_server: PostgresServer) -> Iterator[Rehearsal]:
    with TemporaryDirectory(prefix="restore-") as folder, ExitStack() as held:
        database = postgres_server.create_database()
        held.callback(postgres_server.drop_database, database)
        replicas = held.enter_context(
            Replicas.started(
                owner_url=postgres_server.url(database),
                service_url=postgres_server.url(database, user=SERVICE_ROLE),
                folder=Path(folder) / "vaults",
                count=1,
                shape=replace(SHAPE, keepers=1, postgresql={"single_node": True}),
            )
        )
        yield Rehearsal(postgres_server, database, replicas, postgres_server.folder / f"{database}.dump")


def told(client: ChroniclingClient) -> str:
    try:
        client.vault_reply()
    except Told as refused:
        return refused.reason
    return "OK"


def test_older_database_is_refused_by_keepers_named_by_the_checkpoint_and_stopped_at_by_clients(
    rehearsal: Rehearsal,
) -> None:
    vault = rehearsal.replicas.vaults[0]
    with ChroniclingClient(vault) as owner:
        owner.enroll()
        device = LibraryAccount(vault, Chronicle())
        device.enroll_now()
        rehearsal.back_up()
        for _ in range(2):
            with pytest.raises(Told):
                owner.release(WRONG)
        device.release()
        vault.run_command("checkpoint", "make")
        assert vault.run_command("checkpoint", "verify").endswith(" 0 findings.\n")

        rehearsal.put_back()

        # The keeper that saw more remembers: nothing is judged on what has gone back.
        until(lambda: told(owner) == "RECORD_REJECTED", "the keepers refuse the older row")
        # Who was not there has the checkpoint, which was taken off the host.
        with pytest.raises(RuntimeError, match="checkpoint verify ended with 1"):
            vault.run_command("checkpoint", "verify")

        # The row is to stand: the attempts since the backup are given back, and the account goes on.
        row = record_id(rehearsal, owner)
        said = vault.run_command("records", "accept-older", row.hex())
        assert "takes" in said
        assert owner.vault_reply().attempts_left == BUDGET
        assert owner.release() == [ENVELOPE]

        # A device that saw more stops, also once no keeper remembers any more.
        vault.stop()
        vault.serve()
        with pytest.raises(VaultWentBack):
            device.release()
        device.close()


def record_id(rehearsal: Rehearsal, owner: ChroniclingClient) -> bytes:
    """Found by the head that the owner's store was told."""
    [stored] = [said for said in owner.said if said.version == ENROLLED]
    chains = read_postgres_chains(rehearsal.replicas.owner_url)
    [found] = [key for key, chain in chains.items() if stored.head in chain.heads]
    return found
