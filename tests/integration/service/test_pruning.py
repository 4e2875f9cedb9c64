"""`strongroomd events prune` on a running service: what is left stays checkable, for operators and for the account."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient
from tests.fakes.resident import Resident
from tests.integration.service.evidence import Copy, copied, strongroomd

CHECKER = Path(__file__).parents[3] / "deploy" / "evidence" / "check_export.py"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandClient]:
    """Eight events; those up to the seventh are under a checkpoint, and the first six are gone."""
    shape = VaultShape(keepers=2, checkpoints={"every_hours": 8_000.0})
    with DevelopmentVault.start(tmp_path_factory.mktemp("vault"), shape=shape) as vault, HandClient(vault) as client:
        client.enroll()
        for _ in range(5):
            client.release()
        assert strongroomd(vault.files.config_file, "events", "prune", "--older-than", "0").code == 1
        assert strongroomd(vault.files.config_file, "checkpoint", "make").code == 0
        client.release()
        said = strongroomd(vault.files.config_file, "events", "prune", "--older-than", "0")
        assert (said.code, said.errors, said.lines) == (0, "", ["6 events of 1 records removed."])
        yield client


@pytest.fixture
def copy(client: HandClient) -> Iterator[Copy]:
    with copied(client.vault.files, f"copy-{os.urandom(4).hex()}") as copy:
        yield copy


def test_account_sees_its_history_from_where_it_begins(client: HandClient) -> None:
    page = client.events()  # by either keeper
    assert [event.version for event in page.events] == [8, 7]
    assert (page.first_version, page.next_page_token) == (7, b"")
    assert client.release() == [b"an envelope"]


@pytest.mark.parametrize("options", [[], ["--keeper"]])
def test_what_is_left_is_verified(client: HandClient, options: list[str]) -> None:
    for command in (["events", "verify"], ["checkpoint", "verify"]):
        said = strongroomd(client.vault.files.config_file, *command, *options)
        assert (said.code, said.errors) == (0, ""), said.lines


def test_export_begins_where_the_history_does(client: HandClient, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    assert strongroomd(client.vault.files.config_file, "events", "export", "--file", str(path)).code == 0
    pin = client.vault.files.identity_fingerprint
    checked = subprocess.run(
        [sys.executable, "-I", CHECKER, path, "--pin", pin], check=False, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_pruning_again_finds_nothing_to_do(client: HandClient) -> None:
    said = strongroomd(client.vault.files.config_file, "events", "prune", "--older-than", "0")
    assert (said.code, said.lines) == (0, ["0 events of 0 records removed."])


def test_more_that_is_taken_away_is_named(copy: Copy) -> None:
    [record_id] = copy.record_ids()
    copy.remove_events(record_id, above=6, below=8)
    for options in ([], ["--keeper"]):
        assert "removed" in strongroomd(copy.config_file, "events", "verify", *options).named
    # A base that says so does not help: the event that is first then is too young for that.
    copy.connection.execute("UPDATE event_bases SET version = 7")
    assert strongroomd(copy.config_file, "events", "verify").code == 0  # control: a base is believed without a keeper
    assert "removed" in strongroomd(copy.config_file, "events", "verify", "--keeper").named


def test_client_takes_a_history_that_begins_late(client: HandClient, tmp_path: Path) -> None:
    """An account whose device remembers a version that is gone from the history."""
    resident = Resident(client.vault, tmp_path)
    device = resident.client()
    device.enroll(resident.passkey(), user_name="somebody")
    before = device.history()
    assert strongroomd(client.vault.files.config_file, "checkpoint", "make").code == 0
    said = strongroomd(client.vault.files.config_file, "events", "prune", "--older-than", "0")
    assert said.code == 0
    after = device.history()
    assert len(after) == 1 < len(before)
    assert after[0] == before[0]
