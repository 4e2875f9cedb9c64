"""A vault that shows an older state than this browser has seen: the page stops, and goes on only when it is told to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from deploy.development.page_server import PageServer
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place, page_settings


@pytest.fixture
def own_place(page_folder: Path) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="web-")).resolve()
    [port] = free_ports(1)
    shape = VaultShape(keepers=1, origins=(f"http://localhost:{port}",), browser=True)
    try:
        with (
            DevelopmentVault.start(folder / "vault", shape=shape) as vault,
            PageServer(page_settings(vault, page_folder), port=port) as server,
        ):
            yield Place(vault=vault, origin=server.origin)
    finally:
        remove_tree(folder)


@pytest.mark.verify
def test_page_stops_until_its_user_says_that_the_vault_was_restored(
    chromium: Chromium, own_place: Place, tmp_path: Path
) -> None:
    vault = own_place.vault
    person = Person.arrives(chromium, own_place)
    person.protect()
    tab = person.tab
    vault.stop()
    shutil.copytree(vault.files.folder / "data", tmp_path / "data")
    vault.serve()
    person.go("Passkeys")
    [name] = person.passkey_names()
    tab.click("button", f"Rename {name}")
    tab.fill("textbox", "New name", "my phone")
    tab.click("button", "Rename it")
    tab.until(lambda: person.passkey_names() == ["my phone"], "the new name")

    vault.stop()
    shutil.rmtree(vault.files.folder / "data")
    shutil.copytree(tmp_path / "data", vault.files.folder / "data")
    vault.serve()
    tab.click("link", "Overview")
    tab.wait_text("The vault shows an older state than this device has seen Perhaps its operator restored a backup;")
    tab.click("link", "History")
    tab.wait_text("This page stops here until you know: ask the product's support.")
    tab.click("button", "The product has told me why")
    tab.wait_text("Go on only if the product has told you that its vault was restored from a backup.")
    tab.click("button", "Cancel")
    tab.wait_text("The vault shows an older state")
    tab.click("button", "The product has told me why")
    tab.click("button", "It was restored: go on")
    tab.wait_text("Your backups are protected")
