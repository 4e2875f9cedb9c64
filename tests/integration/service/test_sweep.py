"""`strongroomd sweep` on a running service: what is due goes for good, and nothing else does."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault, VaultShape, make_files
from deploy.development.tenant import issue_account_token
from strongroom.v1 import event_pb2, resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.hand_client import HandClient
from tests.fakes.wall_clock import FakeWallClock
from tests.integration.service.evidence import strongroomd

DAY = 86_400


@pytest.fixture
def clock(tmp_path: Path) -> FakeWallClock:
    return FakeWallClock(tmp_path)


@pytest.fixture
def vault(tmp_path_factory: pytest.TempPathFactory, clock: FakeWallClock) -> Iterator[DevelopmentVault]:
    folder = tmp_path_factory.mktemp("sweep")
    files = make_files(folder / "vault", VaultShape(keepers=1, policy={"reset_grace_seconds": DAY}))
    with DevelopmentVault(files) as started:
        started.init()
        started.serve(environment=clock.environment)
        yield started


def log_in(vault: DevelopmentVault, client: HandClient, clock: FakeWallClock) -> None:
    token = issue_account_token(
        vault.tenant,
        account=client.account,
        audience=AUDIENCE,
        now_seconds=clock.now_seconds(),
        lifetime_seconds=3_600,
        scope="vault reset",
    )
    client.metadata = (("authorization", f"Bearer {token}"),)


def versions(vault: DevelopmentVault) -> list[int]:
    with closing(sqlite3.connect(vault.files.folder / "data" / "vault.db")) as database:
        return sorted(version for (version,) in database.execute("SELECT version FROM records"))


def test_sweep_erases_what_is_due_once_and_leaves_an_event(vault: DevelopmentVault, clock: FakeWallClock) -> None:
    with HandClient(vault) as reset, HandClient(vault) as other:
        for client in (reset, other):
            log_in(vault, client, clock)
            client.enroll()
        reset.call("ResetVault", pb.ResetVaultRequest(nonce=os.urandom(32)))
        assert reset.vault_reply().HasField("set_aside")
        assert strongroomd(vault.files.config_file, "sweep").lines == ["2 records, erased in 0, changed meanwhile: 0."]
        assert versions(vault) == [2, 3]

        vault.stop()
        clock.set_forward(seconds=DAY + 60)
        vault.serve(environment=clock.environment)
        log_in(vault, reset, clock)
        assert not reset.vault_reply().HasField("set_aside")  # gone by time alone
        swept = strongroomd(vault.files.config_file, "sweep")
        assert (swept.code, swept.lines) == (0, ["2 records, erased in 1, changed meanwhile: 0."])
        assert versions(vault) == [2, 4]
        newest = reset.events().events[0]
        assert (newest.kind, list(newest.swept)) == (event_pb2.EVENT_KIND_SWEEP, [event_pb2.SWEPT_SET_ASIDE])
        assert reset.vault_reply().state == resources_pb2.VAULT_STATE_EMPTY
        again = strongroomd(vault.files.config_file, "sweep")
        assert again.lines == ["2 records, erased in 0, changed meanwhile: 0."]


def test_sweep_needs_a_running_keeper(vault: DevelopmentVault) -> None:
    vault.stop()
    said = strongroomd(vault.files.config_file, "sweep")
    assert said.code == 1
    assert "KeeperUnavailable" in said.errors
