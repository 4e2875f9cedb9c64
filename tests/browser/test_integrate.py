"""The page's side of docs/integrate.md, in a real browser, behind the example's backend."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from strongroom_client.recovery_key import parse_recovery_key
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.tab import Tab
from tests.integration.examples.backend import PASSWORD, RunningBackend, running_backend
from tests.integration.examples.guide import ROOT, block_named

pytestmark = pytest.mark.verify

_ENTRY = 'import * as guide from "./web.ts";\nObject.assign(window, { guide });\n'
_PAGE = """<!doctype html>
<meta charset="utf-8"><link rel="icon" href="icon.svg"><meta name="strongroom-settings" content="{{settings}}">
<script type="module" src="page.js"></script><h1>The guide's page</h1>
"""
_HOUR = """(async () => {
    const said = JSON.parse(document.querySelector("meta[name]").content);
    const tell = (text) => { throw new Error(text); };
    const paper = await guide.protect(guide.clientOf(said, tell), "alice");
    const archive = await guide.backUp(guide.clientOf(said, tell), [new File(["remember"], "note.txt")]);
    for (const { name } of await indexedDB.databases()) {
        await new Promise((gone, refused) => {
            Object.assign(indexedDB.deleteDatabase(name), { onsuccess: gone, onerror: refused });
        });
    }
    const files = await guide.restore(guide.clientOf(said, tell), archive);
    return { paper, names: [...files.keys()], note: await files.get("note.txt").text() };
})()"""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A vault, and the port at which its tenant's pages may be."""

    vault: DevelopmentVault
    port: int


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    folder = Path(tempfile.mkdtemp(prefix="guide-")).resolve()
    [port] = free_ports(1)
    shape = VaultShape(keepers=1, origins=(f"http://localhost:{port}",), browser=True)
    try:
        with DevelopmentVault.start(folder / "vault", shape=shape) as vault:
            yield Product(vault=vault, port=port)
    finally:
        remove_tree(folder)


def test_code_of_the_guide_protects_and_restores(chromium: Chromium, product: Product, tmp_path: Path) -> None:
    page = _guides_page(tmp_path / "page")
    with running_backend(product.vault, tmp_path, port=product.port, page_folder=page) as backend:
        tab = chromium.new_tab()
        add_authenticator(tab)
        _sign_in(tab, backend)
        tab.until(lambda: tab.evaluate("'guide' in window"), "the guide's code")
        found = tab.evaluate(_HOUR)
        assert tab.complaints == []
    assert (found["names"], found["note"]) == (["note.txt"], "remember")
    parse_recovery_key(found["paper"])


def test_page_that_is_made_works_behind_the_backend(
    chromium: Chromium, product: Product, page_folder: Path, tmp_path: Path
) -> None:
    with running_backend(product.vault, tmp_path, port=product.port, page_folder=page_folder) as backend:
        tab = chromium.new_tab()
        _sign_in(tab, backend)
        tab.find("heading", "Overview")
        tab.find("button", "Protect my backups")  # which the page says after it has asked the vault
        tab.click("button", "Sign out")
        _arrive(tab, "#password")
        assert tab.complaints == []


def _sign_in(tab: Tab, backend: RunningBackend) -> None:
    tab.goto(f"{backend.origin}/")
    tab.fill("textbox", "Name", "alice")
    tab.fill("textbox", "Password", PASSWORD)
    tab.click("button", "Sign in")
    _arrive(tab, 'meta[name="strongroom-settings"]')


def _arrive(tab: Tab, selector: str) -> None:
    """Wait for the page that has this: while pages change, nothing is to be asked of either by its number."""
    tab.until(lambda: tab.evaluate(f"document.querySelector({selector!r}) !== null"), selector)


def _guides_page(folder: Path) -> Path:
    """Build a page of the guide's code and nothing else."""
    web = ROOT / "clients" / "web"
    folder.mkdir()
    (folder / "index.html").write_text(_PAGE)
    (folder / "page.css").write_text("")
    (folder / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "web.ts").write_text(block_named("web.ts"))
    (folder / "entry.ts").write_text(_ENTRY)
    command: list[str | Path] = [
        Path(sys.executable).with_name("node"),
        web / "node_modules" / "esbuild" / "bin" / "esbuild",
        folder / "entry.ts",
        "--bundle",
        "--format=esm",
        f"--alias:@strongroom/client={web / 'src' / 'index.ts'}",
        f"--outfile={folder / 'page.js'}",
        "--log-level=warning",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return folder
