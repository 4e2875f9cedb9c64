"""The command line against the vault in this process, served over real gRPC with TLS."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom_client.cli.configuration import load_configuration
from tests.fakes.device import Device


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "note.txt").write_text("dear diary")
    return folder


def test_folder_is_backed_up_and_restored_through_the_vault_or_without_it(
    device: Device, folder: Path, tmp_path: Path
) -> None:
    key = device.enroll()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    calls = len(device.vault.calls)
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 0
    assert len(device.vault.calls) == calls, "a backup needs no vault"
    restored = device.at_vault("restore", tmp_path / "archive", tmp_path / "again")
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "again" / "note.txt").read_text() == "dear diary"
    calls = len(device.vault.calls)
    off_line = device.run("restore", tmp_path / "archive", tmp_path / "off-line", "--recovery-key-file", key)
    assert off_line.returncode == 0, off_line.stderr
    assert (tmp_path / "off-line" / "note.txt").read_text() == "dear diary"
    assert len(device.vault.calls) == calls


def test_backup_before_enrollment_says_what_to_do(device: Device, folder: Path, tmp_path: Path) -> None:
    refused = device.at_vault("backup", folder, tmp_path / "archive")
    assert refused.returncode == 1
    assert "enroll or restore first" in refused.stderr
    assert not (tmp_path / "archive").exists()


def test_status_and_history_in_words_and_as_json(device: Device) -> None:
    device.enroll()
    assert "live" in device.at_vault("status").stdout
    status = json.loads(device.at_vault("status", "--output", "json").stdout)
    assert (status["state"], status["version"]) == ("live", 3)
    assert "register" in device.at_vault("history").stdout
    history = json.loads(device.at_vault("history", "--output", "json").stdout)
    assert [event["kind"] for event in history] == ["release", "store", "register"]


def test_recovery_key_is_checked_and_never_shown(device: Device) -> None:
    key = device.enroll().read_text()
    typed = device.run("recovery-key", "--recovery-key-file", device.state / "recovery.txt")
    assert typed.returncode == 0
    assert "age1" in typed.stdout
    rows = [row for row in key.splitlines() if row]
    rows[2] = f"{int(rows[2][0], 16) ^ 1:x}{rows[2][1:]}"  # one wrong digit is always noticed, several nearly always
    (device.state / "typo.txt").write_text("\n".join(rows))
    wrong = device.run("recovery-key", "--recovery-key-file", device.state / "typo.txt")
    assert wrong.returncode == 1
    assert "ow 3" in wrong.stderr
    for row in [*key.splitlines(), *rows]:
        assert row not in typed.stdout + typed.stderr + wrong.stdout + wrong.stderr


def test_recovery_key_is_not_shown_where_nobody_looks(device: Device) -> None:
    refused = device.at_vault("enroll", "--user-name", "alice")
    assert refused.returncode == 2
    assert device.vault.calls == []


def test_recovery_key_overwrites_no_file(device: Device) -> None:
    (device.state / "recovery.txt").write_text("precious")
    done = device.at_vault("enroll", "--user-name", "alice", "--recovery-key-out", device.state / "recovery.txt")
    assert done.returncode == 1
    assert (device.state / "recovery.txt").read_text() == "precious"
    assert device.vault.record.version == 0


def test_refusal_is_explained_without_a_traceback(device: Device) -> None:
    refused = device.at_vault("delete", "--yes")
    assert refused.returncode == 1
    assert "strongroom enroll" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_vault_that_went_back_is_accepted_only_by_the_user(device: Device, tmp_path: Path, folder: Path) -> None:
    device.enroll()
    older = device.vault.record
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 0
    assert device.at_vault("restore", tmp_path / "archive", tmp_path / "again").returncode == 0
    device.vault.record = older
    for _ in range(2):
        stopped = device.at_vault("status")
        assert stopped.returncode == 5
        assert "accept-older-vault" in stopped.stderr
    assert device.at_vault("accept-older-vault", "--yes").returncode == 0
    assert device.at_vault("status").returncode == 0


def test_delete_asks_first(device: Device) -> None:
    device.enroll()
    assert device.at_vault("delete").returncode == 1
    assert device.vault.record.version == 3
    assert device.at_vault("delete", "--yes").returncode == 0
    assert device.vault.record.version == 4


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('vault = "a:1"\n', "must be there"),
        ("vault = \n", "is not TOML"),
        ("{}later = 1\n", "later is not known"),
        ('{}pins = ["00"]\n', "64 hex digits"),
        ("{}pins = [1]\n", "64 hex digits"),
        ("{}", "must pin the vault's owners"),
        ('{}owner_key_files = ["ada.pub"]\n', "ada.pub cannot be read"),
        ("{}owner_key_files = [1]\n", "owner_key_files must be names"),
        ('{}owner_key_files = ["strongroom.toml"]\n', "must hold an Ed25519 or P-256 public key in PEM"),
        ("{}owner_key_files = []\nunpinned = false\n", "must pin the vault's owners"),
        ('{}unpinned = true\nrp_id = ""\n', "rp_id must be"),
        ('{}unpinned = true\n[authenticator]\nkind = "tpm"\n', "authenticator.kind"),
        ('{}unpinned = true\n[authenticator]\nkind = "security-key"\nfile = "x"\n', "file is not known"),
    ],
)
def test_configuration_that_is_wrong_is_refused_with_its_place(device: Device, written: str, said: str) -> None:
    required = 'vault = "a:1"\ntenant = "t"\naccount = "a"\naccount_token_file = "f"\n'
    (device.state / "strongroom.toml").write_text(written.replace("{}", required))
    refused = device.at_vault("status")
    assert refused.returncode == 1
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


def test_unpinned_vault_is_warned_about(device: Device) -> None:
    path = device.state / "strongroom.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("pins")]
    path.write_text("\n".join(["unpinned = true", *lines]))
    shown = device.at_vault("status")
    assert shown.returncode == 0
    assert "receipts prove nothing" in shown.stderr
    assert load_configuration(device.state).settings.trust.unpinned


def test_missing_configuration_is_said_by_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("strongroom")
    refused = subprocess.run(
        [command, "status", "--state", tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 1
    assert "cannot be read" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_wrong_usage_has_a_code_of_its_own(device: Device) -> None:
    assert device.run("restore").returncode == 2


def test_evidence_in_the_history_is_checked_signature_by_signature(device: Device) -> None:
    device.enroll()
    checked = device.at_vault("history", "--verify")
    assert checked.returncode == 0, checked.stderr
    assert "3 events, and every signature holds." in checked.stdout
    assert json.loads(device.at_vault("history", "--verify", "--output", "json").stdout)["flaws"] == []
    device.vault.record.events[2].assertion.webauthn.signature = b"forged"
    lied = device.at_vault("history", "--verify")
    assert lied.returncode == 9
    assert "Version 3 is NOT PROVEN" in lied.stdout
    assert device.at_vault("history").returncode == 0
