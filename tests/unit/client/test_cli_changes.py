"""Passkeys, recovery key, reset, reopening and limits by the command line, and what it warns of."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fido2.hid import CtapHidDevice

from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.authenticators.software_device import SoftwareDevice
from strongroom_client.authenticators.software_state import SoftwareState
from tests.fakes.browser_page import BrowserPage, check_of
from tests.fakes.device import Device
from tests.fakes.vault import ORIGIN


@pytest.fixture
def two(device: Device) -> Device:
    """A device with a second authenticator, enrolled by the first."""
    path = device.state / "strongroom.toml"
    path.write_text(path.read_text() + '[further_authenticator]\nkind = "software-insecure"\nfile = "further.json"\n')
    device.enroll()
    return device


def use_further(device: Device) -> None:
    """Sign with the further authenticator from now on."""
    (device.state / "further.json").replace(device.state / "passkeys.json")


def passkeys(device: Device) -> list[str]:
    status = json.loads(device.at_vault("status", "--output", "json").stdout)
    return [one["credential_id"] for one in status["passkeys"]]


def test_passkey_is_added_and_the_first_removed(two: Device, tmp_path: Path) -> None:
    (first,) = passkeys(two)
    added = two.at_vault("passkey", "add", "--user-name", "alice")
    assert added.returncode == 0, added.stderr
    use_further(two)
    assert two.at_vault("passkey", "remove", first[:12]).returncode == 1, "it asks first"
    removed = two.at_vault("passkey", "remove", first[:12], "--yes")
    assert removed.returncode == 0, removed.stderr
    assert first not in passkeys(two)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert two.at_vault("backup", folder, tmp_path / "archive").returncode == 0
    assert two.at_vault("restore", tmp_path / "archive", tmp_path / "again").returncode == 0


def test_passkey_is_added_by_the_recovery_key(two: Device) -> None:
    (two.state / "passkeys.json").unlink()
    added = two.at_vault("passkey", "add", "--user-name", "alice", "--recovery-key-file", two.state / "recovery.txt")
    assert added.returncode == 0, added.stderr
    assert len(passkeys(two)) == 2


@pytest.mark.parametrize("named", ["", "zz"])
def test_passkey_that_is_not_one_is_wrong_usage(two: Device, named: str) -> None:
    refused = two.at_vault("passkey", "remove", named, "--yes")
    assert refused.returncode == 2
    assert "passkeys of the vault have that name" in refused.stderr


def test_quarantined_passkey_is_warned_of_and_trusted_again(two: Device) -> None:
    (first,) = passkeys(two)
    assert two.at_vault("passkey", "add", "--user-name", "alice").returncode == 0
    two.vault.record = replace(two.vault.record, quarantined=frozenset({bytes.fromhex(first)}))
    shown = two.at_vault("status")
    assert "QUARANTINED" in shown.stdout
    assert "may have been copied" in shown.stderr
    use_further(two)
    assert two.at_vault("passkey", "trust", first).returncode == 0
    assert two.vault.record.quarantined == frozenset()


def test_recovery_key_is_replaced(device: Device) -> None:
    old = device.enroll().read_text()
    done = device.at_vault("replace-recovery-key", "--recovery-key-out", device.state / "new.txt", "--yes")
    assert done.returncode == 0, done.stderr
    assert (device.state / "new.txt").read_text() != old
    assert device.at_vault("replace-recovery-key").returncode == 2, "not shown where nobody looks"


def test_reset_asks_first_and_is_warned_of_until_it_is_reopened(device: Device) -> None:
    device.enroll()
    assert device.at_vault("reset").returncode == 1
    assert device.vault.record.aside is None
    done = device.at_vault("reset", "--yes", "--account-token-file", device.state / "token")
    assert done.returncode == 0, done.stderr
    assert "unless one of its passkeys reopens it" in done.stdout
    shown = device.at_vault("status")
    assert "SET ASIDE" in shown.stdout
    assert "set aside by a reset" in shown.stderr
    again = device.at_vault("reset", "--yes")
    assert again.returncode == 1
    assert "reopen set-aside" in again.stderr
    assert device.at_vault("reopen", "set-aside").returncode == 0
    assert device.at_vault("status").stderr == ""


def test_reset_seen_unexpectedly_is_told_where_the_vault_refuses(device: Device, tmp_path: Path) -> None:
    device.enroll()
    folder = tmp_path / "folder"
    folder.mkdir()
    assert device.at_vault("backup", folder, tmp_path / "archive").returncode == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("strongroom.toml", "token", "ca.pem"):
        (elsewhere / name).write_bytes((device.state / name).read_bytes())
    assert device.run("reset", "--yes", "--state", elsewhere).returncode == 0
    refused = device.at_vault("restore", tmp_path / "archive", tmp_path / "again")
    assert refused.returncode == 1
    assert "was reset elsewhere" in refused.stderr


def test_closed_vault_is_reopened_by_the_recovery_key(device: Device) -> None:
    key = device.enroll()
    device.vault.record = replace(device.vault.record, closed=True)
    assert "CLOSED" in device.at_vault("status").stdout
    done = device.at_vault("reopen", "closed", "--recovery-key-file", key)
    assert done.returncode == 0, done.stderr
    assert not device.vault.record.closed


def test_limits_are_shown_and_changed_one_by_one(device: Device) -> None:
    device.enroll()
    calls = len(device.vault.calls)
    assert "Releases a day           20" in device.at_vault("limits", "--on-exhaustion", "lock").stdout
    assert len(device.vault.calls) > calls
    changed = device.at_vault("limits", "--budget", "5", "--reset-grace-days", "60")
    assert changed.returncode == 0, changed.stderr
    policy = device.vault.record.policy
    assert (policy.budget, policy.releases_per_day, policy.reset_grace_seconds) == (5, 20, 60 * 86_400)
    assert device.at_vault("limits", "--cool-downs", "60, 300").returncode == 0
    assert list(device.vault.record.policy.cool_down_seconds) == [60, 300]
    assert device.at_vault("limits", "--cool-downs", "soon").returncode == 2
    version = device.vault.record.version
    assert device.at_vault("limits").returncode == 0
    assert device.vault.record.version == version


def test_pending_erasure_is_shown(device: Device, tmp_path: Path) -> None:
    device.enroll()
    device.vault.record = replace(device.vault.record, account_erase_at=device.vault.now + 1_000)
    shown = device.at_vault("status")
    assert "TO BE ERASED" in shown.stdout
    assert "only the product can take that back" in shown.stderr
    folder = tmp_path / "folder"
    folder.mkdir()
    backed_up = device.at_vault("backup", folder, tmp_path / "archive")
    assert backed_up.returncode == 0
    assert "only the product can take that back" in backed_up.stderr, "remembered, since a backup asks no vault"


@pytest.fixture
def keys(device: Device, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Security keys in place of software: which are plugged in whenever somebody looks, by name, one after the other.

    The bus is the operating system's; what is on it are authenticators of CTAP 2.1, as real keys are.
    """
    path = device.state / "strongroom.toml"
    device.enroll()
    path.write_text(path.read_text().partition("[authenticator]")[0])
    plugged: list[str] = []

    def on_the_bus() -> Iterator[SoftwareDevice]:
        names = plugged.pop(0).split()
        return iter([_security_key(device.state / f"{name}.json") for name in names])

    monkeypatch.setattr(CtapHidDevice, "list_devices", on_the_bus)
    yield plugged
    assert plugged == []


def _security_key(path: Path) -> SoftwareDevice:
    return SoftwareDevice(state=SoftwareState(path), has_prf=True, prf_at_creation=False, backup_eligible=False)


def test_second_security_key_is_added_in_turn_with_the_first(device: Device, keys: list[str]) -> None:
    keys[:] = ["passkeys", "new", "new", "passkeys", "new"]
    done = device.at_vault("passkey", "add", "--user-name", "alice", typed="\n" * 5)
    assert done.returncode == 0, done.stderr
    asked = done.stderr.split("Plug in the ")[1:]
    assert [one.startswith("new") for one in asked] == [False, True, True, False, True]
    assert len(device.vault.record.credentials) == 2


def test_there_must_be_a_security_key(device: Device, keys: list[str]) -> None:
    keys[:] = [""]
    refused = device.at_vault("passkey", "add", "--user-name", "alice", typed="\n")
    assert refused.returncode == 7
    assert "no security key is plugged in" in refused.stderr.replace("\n", " ").lower()


@pytest.fixture
def browser(device: Device, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserPage]:
    """A browser whose page the configuration names, in place of the device's own authenticator."""
    path = device.state / "strongroom.toml"
    head = path.read_text().partition("[authenticator]")[0]
    path.write_text(f'{head}browser_page = "{ORIGIN}/passkey"\n')
    page = BrowserPage(InsecureSoftwareAuthenticator(state_path=device.state / "in the browser.json"), ORIGIN)
    monkeypatch.setattr(webbrowser, "open", page.open)
    yield page
    page.wait()


def test_vault_is_enrolled_and_opened_with_a_passkey_of_the_browsers(
    device: Device, browser: BrowserPage, tmp_path: Path
) -> None:
    paper = device.state / "paper"
    done = device.at_vault("enroll", "--user-name", "alice", "--recovery-key-out", paper, "--browser")
    assert done.returncode == 0, done.stderr
    assert len(browser.opened) == 1, "three ceremonies in one tab"
    assert [check_of(asked) in done.stderr for asked in browser.seen] == [True] * 3
    (tmp_path / "folder").mkdir()
    assert device.at_vault("backup", tmp_path / "folder", tmp_path / "archive").returncode == 0
    restored = device.at_vault("restore", tmp_path / "archive", tmp_path / "again", "--browser")
    assert restored.returncode == 0, restored.stderr


def test_browser_that_refuses_ends_with_its_code(device: Device, browser: BrowserPage) -> None:
    browser.meddle = lambda _: {"v": 1, "kind": "error", "name": "NotAllowedError"}
    refused = device.at_vault("enroll", "--user-name", "a", "--recovery-key-out", device.state / "paper", "--browser")
    assert refused.returncode == 7
    assert "cancelled" in refused.stderr


def test_browser_without_a_page_is_said(device: Device) -> None:
    refused = device.at_vault("delete", "--yes", "--browser")
    assert refused.returncode == 1
    assert "browser_page" in refused.stderr
