"""What the library keeps in a real browser's database: whole or not at all, for all tabs of a profile, and no secret.

Pages of one origin, without the page for people: what is looked at is `IndexedDbStore` of clients/web.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.browser.chromium import Chromium
from tests.browser.devtools import DevToolsError
from tests.browser.tab import Tab

pytestmark = pytest.mark.verify

WEB: Final = Path(__file__).resolve().parents[2] / "clients" / "web"
_ENTRY = """
import * as library from "./index.ts";
Object.assign(window, { library, storeOf: (account) =>
    new library.IndexedDbStore({ vault: "v", tenant: "t", account }) });
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page that has the library, and nothing else."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "index.html").write_text('<!doctype html><script src="page.js"></script>', encoding="utf-8")
    (folder / "favicon.ico").touch()
    command: list[str | Path] = [
        Path(sys.executable).with_name("node"),
        WEB / "node_modules/esbuild/bin/esbuild",
        "--bundle",
        f"--outfile={folder / 'page.js'}",
        "--format=iife",
        "--sourcefile=src/entry.ts",
        "--loader=ts",
        "--log-level=warning",
    ]
    subprocess.run(command, cwd=WEB / "src", input=_ENTRY, check=True, capture_output=True, text=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def beside(tab: Tab) -> Tab:
    """Return another tab of the same profile."""
    parameters = {"url": "about:blank", "browserContextId": tab.profile}
    target = tab.connection.send("Target.createTarget", session="", parameters=parameters)
    return Tab(tab.connection, target=target["targetId"], profile=tab.profile)


def test_memory_and_receipts_are_there_after_a_reload_and_in_every_tab(chromium: Chromium, address: str) -> None:
    tab = chromium.new_tab()
    tab.goto(address)
    assert tab.evaluate("storeOf('a').load()") is None
    assert tab.evaluate("storeOf('a').lastLine()") is None
    tab.evaluate("storeOf('a').keep({ memory: 'one', line: 'first' })")
    tab.evaluate("storeOf('a').keep({ memory: 'two', line: 'second', contested: 'evidence' })")
    tab.evaluate("storeOf('a').keep({ memory: 'three' })")
    other = beside(tab)
    for reader in (tab, other):
        reader.goto(address)
        assert reader.evaluate("storeOf('a').load()") == "three"
        assert reader.evaluate("storeOf('a').lines()") == ["first", "second"]
        assert reader.evaluate("storeOf('a').lastLine()") == "second"
        assert reader.evaluate("storeOf('b').load()") is None
    stranger = chromium.new_tab()
    stranger.goto(address)
    assert stranger.evaluate("storeOf('a').load()") is None


def test_tabs_take_turns_and_each_sees_what_the_last_one_learned(chromium: Chromium, address: str) -> None:
    tab = chromium.new_tab()
    other = beside(tab)
    for one in (tab, other):
        one.goto(address)
    count = """Promise.all(Array.from({ length: 40 }, () => storeOf('turns').exclusive(async () => {
        const known = Number((await storeOf('turns').load()) ?? 0);
        await storeOf('turns').keep({ memory: String(known + 1), line: String(known) });
    }))).then(() => { window.done = true; })"""
    for one in (tab, other):
        one.evaluate(f"void ({count})")
    for one in (tab, other):
        one.until(functools.partial(one.evaluate, "window.done === true"), "all turns")
    assert tab.evaluate("storeOf('turns').load()") == "80"
    assert tab.evaluate("storeOf('turns').lines()") == [str(number) for number in range(80)]


def test_control_without_turns_an_update_is_lost(chromium: Chromium, address: str) -> None:
    tab = chromium.new_tab()
    tab.goto(address)
    count = """Promise.all(Array.from({ length: 40 }, async () => {
        const known = Number((await storeOf('lost').load()) ?? 0);
        await storeOf('lost').keep({ memory: String(known + 1) });
    }))"""
    tab.evaluate(count)
    assert int(tab.evaluate("storeOf('lost').load()")) < 40


def test_what_cannot_be_kept_or_read_is_a_memory_fault(chromium: Chromium, address: str) -> None:
    tab = chromium.new_tab()
    tab.goto(address)
    tab.evaluate("storeOf('spoilt').keep({ memory: 'not a memory' })")
    client = """new library.StrongroomClient({ owner: { vault: 'v', tenant: 't', account: 'spoilt' },
        trust: { pins: ['ab'.repeat(32)] }, baseUrl: 'http://localhost:1', accountToken: () => 't',
        authenticator: new library.BrowserAuthenticator(), store: storeOf('spoilt') })"""
    told = tab.evaluate(f"{client}.status().catch((error) => [error.name, error instanceof library.MemoryFault])")
    assert told == ["MemoryFault", True]
    with pytest.raises(DevToolsError, match="MemoryFault"):
        tab.evaluate("storeOf('unkeepable').keep({ memory: () => 1, line: 'never kept' })")
    assert tab.evaluate("storeOf('unkeepable').lines()") == []
