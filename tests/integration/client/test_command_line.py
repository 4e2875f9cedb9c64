"""The installed `strongroom` command over the whole service, as a person would use it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault


@dataclass(frozen=True)
class Terminal:
    """A person's state folder, with two software authenticators."""

    vault: DevelopmentVault
    state: Path
    account: str

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("strongroom"), *arguments, "--state", self.state]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def done(self, *arguments: str | Path) -> str:
        """What a command says that must succeed."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def token(self, *, scope: str) -> Path:
        """A file with an account token."""
        path = self.state / f"token of {scope}"
        path.write_text(self.vault.issue_token(self.account, scope=scope))
        return path


@pytest.fixture
def terminal(development_vault: DevelopmentVault, tmp_path: Path) -> Terminal:
    account = f"typist-{secrets.token_hex(8)}"
    terminal = Terminal(development_vault, tmp_path, account)
    token = terminal.token(scope="vault")
    (tmp_path / "strongroom.toml").write_text(
        f"vault = {json.dumps(development_vault.address)}\n"
        f"tenant = {json.dumps(development_vault.tenant.name)}\n"
        f"account = {json.dumps(account)}\n"
        f"account_token_file = {json.dumps(token.name)}\n"
        f"ca_file = {json.dumps(str(development_vault.ca_file))}\n"
        f"pins = {json.dumps(list(development_vault.pins))}\n"
        '[authenticator]\nkind = "software-insecure"\nfile = "first.json"\n'
        '[further_authenticator]\nkind = "software-insecure"\nfile = "second.json"\n'
    )
    return terminal


def test_vault_is_lost_found_and_proven(terminal: Terminal) -> None:
    terminal.done("enroll", "--user-name", "me", "--recovery-key-out", terminal.state / "paper")
    terminal.done("passkey", "add", "--user-name", "me")
    refused = terminal.run("reset", "--yes")
    assert refused.returncode == 1
    assert "does not allow this" in refused.stderr
    terminal.done("reset", "--yes", "--account-token-file", terminal.token(scope="vault reset"))
    warned = terminal.run("status")
    assert "SET ASIDE" in warned.stdout
    assert "Warning" in warned.stderr
    terminal.done("reopen", "set-aside", "--recovery-key-file", terminal.state / "paper")
    terminal.done("limits", "--budget", "5", "--on-exhaustion", "lock")
    assert "every signature holds" in terminal.done("history", "--verify")
    assert "all sound" in terminal.done("receipts", "verify")
    found = json.loads(terminal.done("receipts", "verify", "--history", "--output", "json"))
    assert found["history"] == []
    assert found["examination"]["findings"] == []
    assert found["examination"]["receipts"] > 10


def test_device_is_found_healthy_and_a_part_comes_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.state.chmod(0o700)
    for token in terminal.state.glob("token*"):
        token.chmod(0o600)
    terminal.done("enroll", "--user-name", "me", "--recovery-key-out", terminal.state / "paper")
    examined = json.loads(terminal.done("doctor", "--output", "json"))["findings"]
    outcomes = {finding["check"]: finding["outcome"] for finding in examined}
    assert {check for check, outcome in outcomes.items() if outcome != "ok"} <= {"authenticator", "archive_tools"}
    assert {"clock", "tls", "pins", "vault_answers"} <= set(outcomes)
    folder, backups = tmp_path / "folder", tmp_path / "backups"
    (folder / "letters").mkdir(parents=True)
    (folder / "letters" / "first").write_text("dear diary")
    (folder / "scratch").write_text("not this")
    backups.mkdir()
    made = json.loads(
        terminal.done("backup", folder, f"{backups}/", "--exclude", "scratch", "--keep", "1", "--output", "json")
    )
    assert json.loads(terminal.done("archive", "verify", made["archive"], "--output", "json"))["summary"]["files"] == 1
    terminal.done("restore", made["archive"], tmp_path / "again", "--only", "letters")
    assert (tmp_path / "again" / "letters" / "first").read_text() == "dear diary"
