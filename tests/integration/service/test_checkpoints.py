"""`strongroomd checkpoint make` and `verify` on a running service, and on databases that were tampered with."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import Copy, Said, copied, strongroomd


@dataclass(frozen=True, kw_only=True)
class Story:
    """A vault with two checkpoints, and what its database was before the first.

    Attributes:
        early: a copy of the database from before the second account was deleted, and before any checkpoint.
        deleted: the record that is a tombstone by now; lived: its row of before.
    """

    vault: DevelopmentVault
    early: Copy
    deleted: bytes
    lived: tuple[int, bytes]
    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.txt"))


def make(vault: DevelopmentVault) -> Said:
    said = strongroomd(vault.files.config_file, "checkpoint", "make")
    assert (said.code, said.errors) == (0, "")
    return said


def changed_record(before: dict[bytes, int], after: Copy) -> bytes:
    [record_id] = [each for each in after.record_ids() if after.newest(each) != before.get(each)]
    return record_id


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("vault")
    # So rarely that the service makes none by itself while this runs.
    shape = VaultShape(keepers=2, checkpoints={"every_hours": 8_000.0})
    with DevelopmentVault.start(folder, shape=shape) as vault, HandClient(vault) as one, HandClient(vault) as other:
        for client in (one, other):
            client.enroll()
            client.release()
        with copied(vault.files, "early") as early:
            versions = {each: early.newest(each) for each in early.record_ids()}
            other.delete()
            with copied(vault.files, "look") as look:
                deleted = changed_record(versions, look)
            make(vault)
            one.release()
            make(vault)
            one.release()
            yield Story(
                vault=vault,
                early=early,
                deleted=deleted,
                lived=early.row(deleted),
                folder=folder / "data" / "checkpoints",
            )


@pytest.fixture
def copy(story: Story) -> Iterator[Copy]:
    with copied(story.vault.files, f"copy-{os.urandom(4).hex()}") as copy:
        yield copy


def verify(story: Story, copy: Copy | None, *options: str) -> Said:
    config_file = story.vault.files.config_file if copy is None else copy.config_file
    said = strongroomd(config_file, "checkpoint", "verify", *map(str, story.files), *pin(story), *options)
    assert said.errors == ""
    return said


def pin(story: Story) -> list[str]:
    return ["--pin", story.vault.files.identity_fingerprint]


@pytest.mark.parametrize("options", [[], ["--keeper"]])
def test_honest_database_goes_on_from_its_checkpoints(story: Story, options: list[str]) -> None:
    said = verify(story, None, *options)
    assert (said.code, said.lines) == (0, ["2 records, 9 events, 0 findings."])
    assert len(story.files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in story.files} == {0o600}


def test_without_files_those_of_the_folder_are_verified(story: Story) -> None:
    said = strongroomd(story.vault.files.config_file, "checkpoint", "verify")
    assert (said.code, said.lines) == (0, ["2 records, 9 events, 0 findings."])


def test_events_are_verified_against_a_checkpoint(story: Story, copy: Copy) -> None:
    copy.exchange((story.deleted, 2), (story.deleted, 3))
    arguments = ("events", "verify", "--checkpoint", str(story.files[-1]), *pin(story))
    assert strongroomd(copy.config_file, *arguments).named == ["altered"]
    assert strongroomd(story.vault.files.config_file, *arguments).code == 0  # control


def test_restored_database_is_named(story: Story) -> None:
    """Whole and consistent, and older than its checkpoint: both records, and the vault's own row."""
    assert strongroomd(story.early.config_file, "events", "verify").code == 0  # control: by itself it is all right
    said = verify(story, story.early)
    assert said.code == 1
    assert said.named.count("restored") == 1
    assert said.named.count("put back") == 2
    assert "the database is older than its checkpoint" in said.lines[0]


def test_revived_record_is_named(story: Story, copy: Copy) -> None:
    """A deleted vault's last living row, with its events."""
    copy.put_row(story.deleted, story.lived)
    copy.remove_events(story.deleted, above=story.lived[0])
    assert strongroomd(copy.config_file, "events", "verify", "--keeper").code == 0  # control: authentic, all of it
    said = verify(story, copy)
    assert (said.code, said.named) == (1, ["put back", "not committed"])
    assert said.lines[0].startswith(f"put back: record {story.deleted.hex()} version {story.lived[0]}: ")


def test_revived_record_that_kept_its_newer_events_is_named(story: Story, copy: Copy) -> None:
    copy.put_row(story.deleted, story.lived)
    assert set(verify(story, copy).named) == {"inserted", "put back", "not committed"}


def test_dropped_event_is_named(story: Story, copy: Copy) -> None:
    copy.remove_events(story.deleted, above=1, below=3)
    said = verify(story, copy)
    assert (said.code, said.named) == (1, ["removed"])
    assert said.lines[0].startswith(f"removed: record {story.deleted.hex()} version 2: ")


def test_removed_record_is_named(story: Story, copy: Copy) -> None:
    copy.remove_record(story.deleted)
    assert strongroomd(copy.config_file, "events", "verify", "--keeper").code == 0  # control: nothing is left of it
    said = verify(story, copy)
    assert (said.code, said.named) == (1, ["row removed", "not committed"])


def test_change_that_a_keeper_fulfilled_and_the_database_lacks_is_named(story: Story, copy: Copy) -> None:
    """The newest change came after the checkpoint: only the keepers' log knows of it."""
    [record_id] = [each for each in copy.record_ids() if each != story.deleted]
    with copied(story.vault.files, f"copy-{os.urandom(4).hex()}") as whole:
        version = whole.newest(record_id)
        copy.put_row(record_id, (version - 1, b"a row of then"))
        copy.remove_events(record_id, above=version - 1)
    said = verify(story, copy)
    assert (said.code, said.named) == (1, ["not committed"])
    assert said.lines[0].startswith(f"not committed: record {record_id.hex()} version {version}: ")


def test_checkpoint_of_another_key_is_refused(story: Story) -> None:
    said = strongroomd(story.vault.files.config_file, "checkpoint", "verify", str(story.files[0]), "--pin", "00" * 32)
    assert (said.code, said.lines) == (1, [])
    assert said.errors == (
        f"BrokenCheckpoint: it is signed by identity key {story.vault.files.identity_fingerprint}, which is not pinned:"
        " if `keys list` shows that as one of before a rotation, name it with --pin beside the one in use, or make a"
        " new checkpoint\n"
    )


def test_changed_checkpoint_is_refused(story: Story, tmp_path: Path) -> None:
    text = story.files[1].read_text(encoding="ascii")
    lines = text.splitlines(keepends=True)
    for spoilt in (text.replace('"serial": 2', '"serial": 3'), "".join(lines[:1] + lines[2:])):
        path = tmp_path / "spoilt"
        path.write_text(spoilt, encoding="ascii")
        said = strongroomd(story.vault.files.config_file, "checkpoint", "verify", str(path))
        assert (said.code, said.lines) == (1, [])
        assert said.errors.startswith("BrokenCheckpoint: ")


def test_gap_among_checkpoints_is_told(story: Story) -> None:
    third = make(story.vault)
    files = story.files
    try:
        said = strongroomd(
            story.vault.files.config_file, "checkpoint", "verify", str(files[0]), str(files[2]), *pin(story)
        )
        assert said.code == 0
        assert said.lines[0].startswith("Checkpoint 2 is not here")
    finally:
        assert "checkpoint 3: " in third.lines[-1]


def test_second_checkpoint_of_one_serial_is_a_fork(story: Story, copy: Copy) -> None:
    """Somebody has a copy of the database make checkpoints of its own."""
    own = copy.config_file.parent / copy.config_file.stem / "checkpoints"
    forked = strongroomd(copy.config_file, "checkpoint", "make")
    assert forked.code == 0, forked.errors
    make(story.vault)
    [theirs] = own.glob("checkpoint-*.txt")
    said = strongroomd(
        story.vault.files.config_file, "checkpoint", "verify", str(theirs), *map(str, story.files), *pin(story)
    )
    assert said.code == 1
    assert any(line.startswith("forked: ") for line in said.lines)


def test_database_that_keepers_have_seen_newer_gets_no_checkpoint(story: Story) -> None:
    said = strongroomd(story.early.config_file, "checkpoint", "make")
    assert said.code == 1
    assert said.errors.startswith("RecordRejected: the keeper has the vault's row at version ")


def test_restored_database_gets_no_checkpoint_from_keepers_that_know_nothing(tmp_path: Path) -> None:
    """Service stopped, yesterday's database put back, service started: the folder knows better."""
    vault = DevelopmentVault.start(tmp_path, shape=VaultShape(keepers=1, checkpoints={"every_hours": 8_000.0}))
    with vault, HandClient(vault) as client:
        client.enroll()
        with copied(vault.files, "yesterday"):
            client.release()
            make(vault)
            vault.stop()
            for path in (tmp_path / "data").glob("vault.db*"):
                path.unlink()
            shutil.copy(tmp_path / "yesterday" / "vault.db", tmp_path / "data" / "vault.db")
        vault.serve()
        said = strongroomd(vault.files.config_file, "checkpoint", "make")
        assert (said.code, said.lines) == (1, [])
        assert said.errors.startswith(
            "RecordRejected: restored: the vault's row keeps checkpoint 0, and 1 has been made"
        )
        verified = strongroomd(vault.files.config_file, "checkpoint", "verify", "--keeper")
        assert (verified.code, verified.named) == (1, ["restored", "restored", "put back", "not committed"])
