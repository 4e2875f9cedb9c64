"""`strongroom --browser` with the real page in a real browser: three ceremonies in one tab, and back by loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from deploy.development.page_bundle import build_passkey_page
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.passkey_page import served_passkey_page
from tests.browser.place import fresh_account
from tests.browser.tab import Tab
from tests.integration.link.support import until

pytestmark = pytest.mark.verify
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--ignore-certificate-errors",  # the page's authority is this test's own
)


@dataclass(frozen=True)
class Desk:
    """A person's terminal, whose browser is the one under test."""

    state: Path
    page: Path
    port: int
    opened: Path

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command, whose browser only notes what it was to open."""
        opener = self.state / "browser"
        opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {self.opened}.new && mv {self.opened}.new {self.opened}\n')
        opener.chmod(0o755)
        self.opened.unlink(missing_ok=True)
        program = Path(sys.executable).with_name("strongroom")
        return subprocess.Popen(
            [program, *arguments, "--state", self.state],
            env={**os.environ, "BROWSER": f"{opener} %s"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def opened_file(self) -> str:
        until(self.opened.exists, "the browser is told to open something")
        return self.opened.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium(*FLAGS) as browser:
        yield browser


@pytest.fixture(scope="module")
def vault_and_port() -> Iterator[tuple[DevelopmentVault, int]]:
    folder = Path(tempfile.mkdtemp(prefix="cl-")).resolve()
    [port] = free_ports(1)
    shape = VaultShape(keepers=1, origins=(f"https://localhost:{port}",))
    try:
        with DevelopmentVault.start(folder, shape=shape) as vault:
            yield vault, port
    finally:
        remove_tree(folder)


@pytest.fixture
def desk(vault_and_port: tuple[DevelopmentVault, int], tmp_path: Path) -> Desk:
    vault, port = vault_and_port
    state, account = tmp_path / "state", fresh_account()
    state.mkdir()
    (state / "token").write_text(vault.issue_token(account, scope="vault"))
    (state / "strongroom.toml").write_text(
        f"vault = {json.dumps(vault.address)}\ntenant = {json.dumps(vault.tenant.name)}\n"
        f'account = {json.dumps(account)}\naccount_token_file = "token"\nca_file = {json.dumps(str(vault.ca_file))}\n'
        f'pins = {json.dumps(list(vault.pins))}\nbrowser_page = "https://localhost:{port}/passkey"\n'
    )
    return Desk(state, build_passkey_page(tmp_path / "page"), port, tmp_path / "opened")


def go_on(tab: Tab, label: str, seen: list[str]) -> None:
    """Press the button under a code that was not seen before."""

    def new_code() -> str:
        shown = re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}", tab.text())
        return shown[0] if shown and shown[0] not in seen else ""

    seen.append(tab.until(new_code, "the page of the next ceremony"))
    tab.click("button", label)


def addresses(tab: Tab) -> list[str]:
    return [entry["url"] for entry in tab.send("Page.getNavigationHistory")["entries"]]


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = command.communicate(timeout=60)
    return command.returncode, said


def test_vault_is_enrolled_and_opened_with_a_passkey_of_a_real_browser(
    browser: Chromium, desk: Desk, tmp_path: Path
) -> None:
    with served_passkey_page(desk.page, port=desk.port) as asked:
        command = desk.start("enroll", "--user-name", "me", "--recovery-key-out", desk.state / "paper", "--browser")
        tab, codes = browser.new_tab(), list[str]()
        virtual = add_authenticator(tab)
        tab.send("Page.navigate", url=desk.opened_file())
        for label in ("Make a passkey", "Use my passkey", "Use my passkey"):
            go_on(tab, label, codes)
        code, said = ended(command)
        assert code == 0, said
        tab.wait_text("Done. Go back to the terminal")
        assert all(shown in said for shown in codes), "the terminal shows the same"
        assert len(virtual.credentials()) == 1
        assert not any("#" in address or "strongroom=" in address for address in addresses(tab)), addresses(tab)
        assert set(asked) <= {"/passkey", "/passkey.js", "/page.css", "/icon.svg"}, "the page's server learns nothing"

        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "letter").write_text("dear diary")
        assert ended(desk.start("backup", tmp_path / "folder", tmp_path / "archive"))[0] == 0
        command = desk.start("restore", tmp_path / "archive", tmp_path / "again", "--browser")
        tab.send("Page.navigate", url=desk.opened_file())
        go_on(tab, "Use my passkey", codes)
        code, said = ended(command)
        assert code == 0, said
        assert (tmp_path / "again" / "letter").read_text() == "dear diary"


def test_refusal_at_the_page_ends_the_command(browser: Chromium, desk: Desk) -> None:
    with served_passkey_page(desk.page, port=desk.port):
        command = desk.start("enroll", "--user-name", "me", "--recovery-key-out", desk.state / "paper", "--browser")
        tab = browser.new_tab()
        tab.send("Page.navigate", url=desk.opened_file())
        go_on(tab, "Refuse", [])
        code, said = ended(command)
        assert code == 7, said
        assert "took it back" in said
        tab.goto(f"https://localhost:{desk.port}/passkey")
        tab.wait_text("Nothing to do here")


def test_page_with_another_referrer_policy_is_not_heard(browser: Chromium, desk: Desk) -> None:
    """Why the contract names one: without it browsers keep an https page's origin from http, and say null."""
    with served_passkey_page(desk.page, port=desk.port, referrer_policy=None):
        command = desk.start("enroll", "--user-name", "me", "--recovery-key-out", desk.state / "paper", "--browser")
        tab = browser.new_tab()
        add_authenticator(tab)
        tab.send("Page.navigate", url=desk.opened_file())
        go_on(tab, "Make a passkey", [])
        tab.wait_text("Not from this page.")
        command.terminate()
        command.communicate(timeout=30)
