"""`strongroomd events verify` on a database of a running service: by versions alone, without token and keeper."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import Copy, copied, strongroomd


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentVault]:
    """Two accounts with six events each."""
    with DevelopmentVault.start(tmp_path_factory.mktemp("vault"), shape=VaultShape(keepers=1)) as vault:
        for _ in range(2):
            with HandClient(vault) as client:
                client.enroll()
                for _ in range(4):
                    client.release()
        yield vault


@pytest.fixture
def copy(vault: DevelopmentVault) -> Iterator[Copy]:
    with copied(vault.files, f"copy-{os.urandom(4).hex()}") as copy:
        yield copy


def test_honest_database_has_no_findings(vault: DevelopmentVault) -> None:
    said = strongroomd(vault.files.config_file, "events", "verify")
    assert (said.code, said.errors) == (0, "")
    assert said.lines[0] == "2 records, 12 events, 0 findings."
    assert "an altered event does not" in said.lines[1]


def first(copy: Copy) -> bytes:
    return copy.record_ids()[0]


@pytest.mark.parametrize(
    ("spoil", "name", "version"),
    [
        pytest.param(lambda each: each.remove_events(first(each), above=2, below=4), "removed", 3, id="removed"),
        pytest.param(lambda each: each.remove_events(first(each), above=4), "cut", 5, id="cut"),
        pytest.param(lambda each: each.put_event(first(each), 7, b"forged"), "inserted", 7, id="inserted"),
        pytest.param(
            lambda each: each.connection.execute("DELETE FROM records WHERE record_id = ?", (first(each),)),
            "row removed",
            6,
            id="row removed",
        ),
    ],
)
def test_what_shows_by_versions_is_named(copy: Copy, spoil: Callable[[Copy], object], name: str, version: int) -> None:
    spoil(copy)
    said = strongroomd(copy.config_file, "events", "verify")
    assert said.code == 1
    assert said.lines[0].startswith(f"{name}: record {first_id(copy)} version {version}: ")
    assert said.lines[1].endswith("1 findings.")


def first_id(copy: Copy) -> str:
    [(record_id,)] = copy.connection.execute("SELECT min(record_id) FROM events")
    return bytes(record_id).hex()


def test_checkpoint_that_is_none_is_refused(vault: DevelopmentVault) -> None:
    path = vault.files.folder / "no-checkpoint"
    path.write_text("nothing", encoding="utf-8")
    said = strongroomd(vault.files.config_file, "events", "verify", "--checkpoint", str(path))
    assert (said.code, said.lines) == (1, [])
    assert said.errors == "BrokenCheckpoint: not a checkpoint of a format known here\n"
