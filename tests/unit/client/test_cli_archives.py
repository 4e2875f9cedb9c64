"""Backups by the command line: patterns, parts, lists, schedules."""

from __future__ import annotations

import configparser
import errno
import fcntl
import json
import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom_client.archive.places import LocalShelf
from strongroom_client.cli.schedule import archive_name, one_at_a_time, remove_old
from strongroom_client.clock import Millis
from tests.fakes.device import Device

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "client"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "My folder"
    (folder / "docs").mkdir(parents=True)
    for name in ("note.txt", "docs/letter.pdf", "docs/scratch.tmp"):
        (folder / name).write_text(name)
    return folder


def test_part_of_a_backup_is_left_out_and_a_part_restored(device: Device, folder: Path, tmp_path: Path) -> None:
    key = device.enroll()
    (tmp_path / "patterns").write_text("# what nobody needs\n*.tmp\n*.typo\n")
    made = device.at_vault(
        "backup", folder, tmp_path / "archive", "--exclude-from", tmp_path / "patterns", "--exclude", "/note.txt"
    )
    assert made.returncode == 0, made.stderr
    assert "this pattern fitted nothing: '*.typo'" in made.stderr
    listed = device.run("archive", "list", tmp_path / "archive", "--recovery-key-file", key, "--output", "json")
    assert [entry["name"] for entry in json.loads(listed.stdout)["entries"]] == [".", "docs", "docs/letter.pdf"]
    shown = device.at_vault("archive", "list", tmp_path / "archive")
    assert shown.stdout.splitlines()[2].startswith("-rw")
    assert shown.stdout.splitlines()[2].endswith("'docs/letter.pdf'")
    verified = device.at_vault("archive", "verify", tmp_path / "archive")
    assert (verified.returncode, verified.stdout) == (0, "Whole: 1 files, 15 bytes.\n")
    part = device.at_vault("restore", tmp_path / "archive", tmp_path / "part", "--only", "*.pdf", "--only", "absent")
    assert part.returncode == 0, part.stderr
    assert "'absent'" in part.stderr
    assert (tmp_path / "part" / "docs" / "letter.pdf").exists()
    none = device.at_vault("restore", tmp_path / "archive", tmp_path / "none", "--only", "absent")
    assert none.returncode == 1
    assert "archive list" in none.stderr


def test_damaged_archive_and_foreign_keys_have_a_code(device: Device, folder: Path, tmp_path: Path) -> None:
    device.enroll()
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 0
    damaged = bytearray((tmp_path / "archive").read_bytes())
    damaged[-20] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    for command in (("archive", "verify"), ("archive", "list")):
        assert device.at_vault(*command, tmp_path / "damaged").returncode == 8
    assert device.at_vault("archive", "verify", tmp_path / "absent").returncode == 1


def test_folder_gets_archives_by_time_and_keeps_the_newest(device: Device, folder: Path, tmp_path: Path) -> None:
    device.enroll()
    shelf = tmp_path / "backups"
    shelf.mkdir()
    old = [f"My_folder-2020010{day}T000000Z.tar.zst.age" for day in range(1, 5)]
    others = ["My_folder-20200101T000000Z.tar.zst.age.bak", "Other-20200101T000000Z.tar.zst.age", "letter.txt"]
    for name in (*old, *others):
        (shelf / name).touch()
    done = device.at_vault("backup", folder, f"{shelf}/", "--keep", "2", "--output", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["removed"] == old[:3]
    assert sorted(path.name for path in shelf.iterdir()) == sorted([*others, old[3], Path(told["archive"]).name])
    assert device.at_vault("archive", "verify", told["archive"]).returncode == 0


def test_what_a_killed_run_left_is_removed_and_what_is_written_is_not(
    device: Device, folder: Path, tmp_path: Path
) -> None:
    device.enroll()
    shelf = tmp_path / "backups"
    shelf.mkdir()
    names = ("left", "fresh", "written", "folder", "link")
    left, fresh, written, inner, link = (shelf / f".strongroom-{name}.part" for name in names)
    other = shelf / "strongroom-other.part"
    for path in (left, fresh, written):
        path.touch()
    inner.mkdir()
    (tmp_path / "elsewhere").touch()
    link.symlink_to(tmp_path / "elsewhere")
    other.touch()
    for path in (left, written, inner, other, tmp_path / "elsewhere"):
        os.utime(path, (0, 0))
    with written.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert device.at_vault("backup", folder, f"{shelf}/").returncode == 0
    assert not left.exists()
    assert all(os.path.lexists(path) for path in (fresh, written, inner, link, other, tmp_path / "elsewhere"))


def test_failed_backup_removes_nothing(device: Device, tmp_path: Path) -> None:
    device.enroll()
    shelf = tmp_path / "backups"
    shelf.mkdir()
    (shelf / "absent-20200101T000000Z.tar.zst.age").touch()
    assert device.at_vault("backup", tmp_path / "absent", f"{shelf}/", "--keep", "1").returncode == 1
    assert [path.name for path in shelf.iterdir()] == ["absent-20200101T000000Z.tar.zst.age"]


def test_what_was_just_made_is_kept_though_the_clock_went_back(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    names = [archive_name(folder, now=Millis(second * 1_000)) for second in (0, 2_000_000_000, 2_000_000_001)]
    assert names[0] == "docs-19700101T000000Z.tar.zst.age"
    for name in names:
        (tmp_path / name).touch()
    assert remove_old(LocalShelf(tmp_path), folder=folder, made=names[0], keep=1) == tuple(names[1:])
    assert [path.name for path in tmp_path.iterdir()] == [names[0]]


def test_keep_is_for_folders(device: Device, folder: Path, tmp_path: Path) -> None:
    device.enroll()
    assert device.at_vault("backup", folder, tmp_path / "archive", "--keep", "2").returncode == 2
    assert device.at_vault("backup", folder, f"{tmp_path}/", "--keep", "0").returncode == 2
    assert not (tmp_path / "archive").exists()


def test_second_backup_to_the_same_place_does_not_begin(device: Device, folder: Path, tmp_path: Path) -> None:
    device.enroll()
    with one_at_a_time(device.state, where=str(tmp_path / "archive")):
        refused = device.at_vault("backup", folder, tmp_path / "archive")
        assert refused.returncode == 10
        assert "under way" in refused.stderr
        assert not (tmp_path / "archive").exists()
        assert device.at_vault("backup", folder, tmp_path / "elsewhere").returncode == 0
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 0


def test_memory_that_another_command_has_open_is_told_apart(device: Device, folder: Path, tmp_path: Path) -> None:
    device.enroll()
    (lock,) = (device.state / "memory").glob("*/lock")
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = device.at_vault("backup", folder, tmp_path / "archive")
    assert refused.returncode == 3, "a timer must try again: this backup was not made by anybody"
    assert "another client on this device" in refused.stderr.lower()


def test_backup_asks_nothing_and_goes_where_the_configuration_says(
    device: Device, folder: Path, tmp_path: Path
) -> None:
    threads = threading.active_count()
    device.enroll()
    (device.state / "token").unlink()
    calls = len(device.vault.calls)
    made = device.at_vault("backup", folder, f"memory://{tmp_path.name}/one", "--output", "json")
    assert made.returncode == 0, made.stdout
    assert len(device.vault.calls) == calls
    key = device.state / "recovery.txt"
    restored = device.at_vault(
        "restore", f"memory://{tmp_path.name}/one", tmp_path / "again", "--recovery-key-file", key
    )
    assert restored.returncode == 0, restored.stderr
    assert device.at_vault("backup", folder, "s3://user:pw@bucket/x").returncode == 1
    assert threading.active_count() < threads + 5, "what was begun has ended, but for what the libraries keep"


def test_backup_that_left_something_out_says_so(
    device: Device, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.enroll()
    opened: Callable[..., int] = os.open

    def refusing(path: str, *arguments: object, **more: object) -> int:
        if path == "note.txt":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr("strongroom_client.archive.source_tree.os.open", refusing)
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 1
    done = device.at_vault("backup", folder, tmp_path / "archive", "--keep-going", "--output", "json")
    assert done.returncode == 11
    assert [loss["name"] for loss in json.loads(done.stdout)["summary"]["lost"]] == ["note.txt"]
    assert "NOT in the backup: 'note.txt' cannot be read: Permission denied" in done.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[storage]\ns3 = 1\n", "storage.s3 must be a table"),
        ('[storage.s3]\nsecret = "x"\n', "looks like a secret"),
        ('[storage.s3.client_kwargs]\naws_secret_access_key = "x"\n', "looks like a secret"),
    ],
)
def test_storage_options_hold_no_secret(device: Device, written: str, said: str) -> None:
    path = device.state / "strongroom.toml"
    path.write_text(path.read_text() + written)
    refused = device.at_vault("status")
    assert refused.returncode == 1
    assert said in refused.stderr


def test_unit_for_systemd_runs_as_it_stands(
    device: Device, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as its own documentation does it
    unit.read([UNITS / "strongroom-backup.service", UNITS / "strongroom-backup.timer"])
    assert unit["Timer"]["Persistent"] == "yes"
    assert unit["Service"]["SuccessExitStatus"] == "10 11"
    program, *arguments = shlex.split(unit["Service"]["ExecStart"].replace("%h", str(tmp_path)))
    assert program == "strongroom"
    device.enroll()
    folder.rename(tmp_path / "Documents")
    (tmp_path / "Backups").mkdir()
    done = device.at_vault(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "Backups").iterdir())) == 1
