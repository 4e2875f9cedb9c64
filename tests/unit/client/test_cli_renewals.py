"""Names, modes, a fresh key, recovery and turning off by the command line: what it says before it acts, and after."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.v1 import resources_pb2
from strongroom_client.recovery_key import parse_recovery_key
from tests.fakes.device import Device, Done


@pytest.fixture
def two(device: Device) -> Device:
    """A device with a second authenticator, enrolled by the first."""
    path = device.state / "strongroom.toml"
    path.write_text(path.read_text() + '[further_authenticator]\nkind = "software-insecure"\nfile = "further.json"\n')
    device.enroll()
    return device


def done(device: Device, *arguments: str | Path, typed: str = "") -> Done:
    ended = device.at_vault(*arguments, typed=typed)
    assert ended.returncode == 0, ended.stderr
    return ended


def said_before(ended: Done) -> list[str]:
    assert "What this means:" in ended.stderr
    return re.findall(r"^  - (.*)$", ended.stderr, flags=re.MULTILINE)


def archive_of(device: Device, folder: Path, name: str) -> Path:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "file").write_text(name)
    done(device, "backup", source, folder / name)
    return folder / name


def test_passkeys_are_listed_by_name_and_claimed_model(two: Device) -> None:
    added = done(two, "passkey", "add", "--user-name", "alice", "--name", "Spare key")
    assert re.match(r'Added "Spare key" \([0-9a-f]{16}\.\.\.\), and opened', added.stdout)
    assert said_before(added)[-1].endswith("the new passkey, the recovery key.")
    shown = done(two, "passkey", "list").stdout.splitlines()
    assert len(shown) == 2
    assert re.search(r'^"Spare key" \(.*\)  unknown model  made .* UTC, ', "\n".join(shown), flags=re.MULTILINE)
    renamed = done(two, "passkey", "rename", "Spare key", "Ersatzschlüssel")
    assert "Ersatzschlüssel" in renamed.stdout
    listed = json.loads(done(two, "passkey", "list", "--output", "json").stdout)
    assert {one["name"] for one in listed} == {None, "Ersatzschlüssel"}
    assert {one["claimed_model"] for one in listed} == {None}
    refused = two.at_vault("passkey", "rename", "Ersatzschlüssel", "two\nlines")
    assert refused.returncode != 0
    assert "passkey's name must not hold control characters" in refused.stderr


def test_removal_says_what_it_means_and_asks(two: Device) -> None:
    done(two, "passkey", "add", "--user-name", "alice", "--name", "Spare")
    refused = two.at_vault("passkey", "remove", "Spare", typed="n\n")
    assert refused.returncode == 1
    said = said_before(refused)
    assert re.match(r'Passkey "Spare" \(.*\) will not open the vault any more', said[0])
    assert said[-1].startswith("Opens the vault then: ")
    assert len(two.vault.record.credentials) == 2
    done(two, "passkey", "remove", "Spare", typed="y\n")
    assert len(two.vault.record.credentials) == 1


def test_archive_made_before_two_renewals_is_restored(device: Device, tmp_path: Path) -> None:
    device.enroll()
    archives = [archive_of(device, tmp_path, "first")]
    for name in ("second", "third"):
        renewed = done(device, "renew")
        assert said_before(renewed)[1].startswith("Older backups open as before")
        assert "back up now" in renewed.stdout
        archives.append(archive_of(device, tmp_path, name))
    for archive in archives:
        done(device, "restore", archive, tmp_path / f"{archive.name} again")
        assert (tmp_path / f"{archive.name} again" / "file").read_text() == archive.name


def test_mode_is_changed_and_back_with_every_passkey(two: Device, tmp_path: Path) -> None:
    archive = archive_of(two, tmp_path, "first")
    done(two, "passkey", "add", "--user-name", "alice", "--name", "Spare")
    assert two.at_vault("mode", "vault-held").returncode == 1, "it asks first"
    assert two.vault.record.mode == resources_pb2.MODE_PRF
    moved = done(two, "mode", "vault-held", typed="y\n")
    assert said_before(moved)[0].startswith("From then on the vault alone locks your keys")
    assert two.vault.record.mode == resources_pb2.MODE_VAULT_HELD
    done(two, "restore", archive, tmp_path / "held")
    back = done(two, "mode", "prf", "--yes")
    assert said_before(back)[0].startswith("From then on your passkeys lock your keys")
    assert re.search(r'Note: the next prompt is for this passkey \("Spare" \([0-9a-f]{16}\.\.\.\)\)\.', back.stderr)
    assert two.vault.record.mode == resources_pb2.MODE_PRF
    done(two, "restore", archive, tmp_path / "again")
    refused = two.at_vault("mode", "prf", "--yes")
    assert "locked in mode prf already" in refused.stderr


def test_mode_that_this_device_was_never_told_is_explained(device: Device, tmp_path: Path) -> None:
    device.enroll()
    archive = archive_of(device, tmp_path, "first")
    device.vault.record = replace(device.vault.record, mode=resources_pb2.MODE_VAULT_HELD)
    refused = device.at_vault("restore", archive, tmp_path / "again")
    assert refused.returncode == 5
    assert "it alone holds this account's envelope" in refused.stderr
    assert "If you moved it there on another device, say --mode vault-held" in refused.stderr
    assert "it alone locks the keys now. Was it you?" in device.at_vault("status").stderr


def test_lost_passkeys_are_replaced_by_the_recovery_key_typed_row_by_row(two: Device, tmp_path: Path) -> None:
    archive = archive_of(two, tmp_path, "first")
    lost = json.loads(done(two, "passkey", "list", "--output", "json").stdout)[0]["credential_id"]
    (two.state / "passkeys.json").unlink()
    rows = (two.state / "recovery.txt").read_text().splitlines()
    mistaken = f"{int(rows[2][0], 16) ^ 1:x}{rows[2][1:]}"  # a swap of two equal digits is none
    typed = "\n".join([*rows[:2], mistaken, rows[2], rows[3][:-1], *rows[3:]]) + "\n"
    recovered = done(two, "passkey", "add", "--user-name", "alice", "--recovery-key-prompt", typed=typed)
    assert "Mistake in row 3: the check digit does not match" in recovered.stderr
    assert "Mistake in row 4: does not have 9 digits" in recovered.stderr
    assert rows[2][:4] not in recovered.stderr + recovered.stdout
    assert f"until you remove it: {lost[:16]}...." in said_before(recovered)[2]
    assert f"still open the vault: {lost[:16]}.... Remove what you lost" in recovered.stdout
    (two.state / "further.json").replace(two.state / "passkeys.json")
    done(two, "restore", archive, tmp_path / "again")
    done(two, "passkey", "remove", lost, "--yes")
    assert len(two.vault.record.credentials) == 1


def test_row_that_stays_wrong_ends_it(device: Device) -> None:
    rows = device.enroll().read_text().splitlines()
    refused = device.run("recovery-key", typed="\n".join([rows[0], *["0" * 9] * 3]) + "\n")
    assert refused.returncode == 1
    assert "Row 2: the check digit does not match" in refused.stderr
    assert refused.stderr.count("Type this row again") == 2


def test_every_wrong_row_of_a_file_is_named(device: Device) -> None:
    rows = device.enroll().read_text().splitlines()
    rows[1], rows[6] = rows[6], rows[1]
    (device.state / "wrong.txt").write_text("\n".join(rows))
    refused = device.run("recovery-key", "--recovery-key-file", device.state / "wrong.txt")
    assert "Row 2, 7: the check digit does not match" in refused.stderr


def test_archive_opens_with_the_recovery_key_where_there_is_no_vault(device: Device, tmp_path: Path) -> None:
    key = device.enroll()
    archive = archive_of(device, tmp_path, "first")
    (device.state / "strongroom.toml").unlink()
    alone = device.run("restore", archive, tmp_path / "again", "--recovery-key-file", key)
    assert alone.returncode == 0, alone.stderr
    assert (tmp_path / "again" / "file").read_text() == "first"


def test_replaced_recovery_key_opens_what_comes_after_and_the_old_one_what_was_before(
    device: Device, tmp_path: Path
) -> None:
    old, new = device.enroll(), device.state / "new.txt"
    before = archive_of(device, tmp_path, "before")
    assert device.at_vault("replace-recovery-key", "--recovery-key-out", new, typed="n\n").returncode == 1
    assert not new.exists(), "nothing is handed over that does not count"
    replaced = done(device, "replace-recovery-key", "--recovery-key-out", new, typed="y\n")
    assert said_before(replaced)[1].startswith("The old one will not open the vault any more")
    after = archive_of(device, tmp_path, "after")
    for archive, key, opens in ((before, old, True), (before, new, False), (after, new, True), (after, old, False)):
        target = tmp_path / f"{archive.name} by {key.name}"
        ended = device.run("restore", archive, target, "--recovery-key-file", key)
        assert (ended.returncode == 0) == opens, ended.stderr
    parse_recovery_key(new.read_text())


def test_protection_is_turned_off_knowingly(device: Device, tmp_path: Path) -> None:
    key = device.enroll()
    archive = archive_of(device, tmp_path, "first")
    refused = device.at_vault("delete", typed="n\n")
    assert refused.returncode == 1
    assert said_before(refused)[0] == "The vault erases your keys and passkeys. This cannot be taken back."
    assert said_before(refused)[-1] == "Opens the vault then: nobody."
    done(device, "delete", typed="y\n")
    assert device.at_vault("backup", tmp_path / "source", tmp_path / "second").returncode == 1
    assert device.run("restore", archive, tmp_path / "again", "--recovery-key-file", key).returncode == 0


def test_history_and_warnings_call_passkeys_by_name(two: Device, tmp_path: Path) -> None:
    done(two, "passkey", "add", "--user-name", "alice", "--name", "Spare")
    listed = json.loads(done(two, "passkey", "list", "--output", "json").stdout)
    spare = next(one["credential_id"] for one in listed if one["name"] == "Spare")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("strongroom.toml", "token", "ca.pem", "passkeys.json"):
        shutil.copy2(two.state / name, elsewhere)
    archive = archive_of(two, tmp_path, "first")
    (two.state / "further.json").replace(two.state / "passkeys.json")
    done(two, "restore", archive, tmp_path / "again")
    shown = done(two, "history").stdout
    assert re.search(r'release +granted  by "Spare" \([0-9a-f]{16}\.\.\.\)', shown.splitlines()[0])
    assert re.search(r"add-credential +granted  by [0-9a-f]{16}\.\.\.", shown)
    assert two.run("passkey", "remove", spare, "--yes", "--state", elsewhere).returncode == 0
    warned = two.at_vault("status").stderr
    assert re.search(r'a passkey was removed elsewhere: .* \("Spare" \([0-9a-f]{16}\.\.\.\)\)', warned)
