"""The page for people who do not see it, or have no mouse: axe-core on every view, and the keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from deploy.development.page_bundle import WEB
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.person import LINKS, Person
from tests.browser.place import Place
from tests.browser.tab import Tab
from tests.browser.trees import make_tree

_AXE: Final = WEB / "node_modules" / "axe-core" / "axe.min.js"
# Everything but experiments; colours are judged as they are in the scheme of the moment.
_RUN: Final = """axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
}).then(({ violations, passes }) => ({
  passes: passes.length,
  violations: violations.map(({ id, nodes }) => [id, ...nodes.map((node) => [node.html, node.failureSummary])]),
}))"""


def violations(tab: Tab) -> list[Any]:
    """Return what axe-core finds wrong in what is shown, in both colour schemes."""
    tab.evaluate(f"globalThis.axe === undefined && (() => {{ {_AXE.read_text()} }})()")
    found: list[Any] = []
    for scheme in ("light", "dark"):
        tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        result = tab.evaluate(_RUN)
        assert result["passes"] > 10, "axe looked at something"
        found += [(scheme, *violation) for violation in result["violations"]]
    return found


@pytest.mark.verify
def test_axe_finds_what_is_wrong(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    person.tab.find("button", "Protect my backups")
    person.tab.evaluate(
        """document.querySelector('main').append(...['<img src="icon.svg">', '<input>'].map((html) => {
          const parsed = document.implementation.createHTMLDocument();
          const element = parsed.createElement(html.slice(1, 4) === "img" ? "img" : "input");
          return document.importNode(element);
        }))"""
    )
    assert {violation[1] for violation in violations(person.tab)} >= {"image-alt", "label"}


@pytest.mark.verify
def test_every_view_passes_axe_in_light_and_dark(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "mine")
    tab = chromium.new_tab()
    tab.goto(place.origin + "/")
    assert violations(tab) == []

    person = Person.arrives(chromium, place, may_reset=True)
    assert violations(person.tab) == []
    person.tab.click("button", "Protect my backups")
    person.tab.find("list", "Recovery key, 8 rows")
    assert violations(person.tab) == []
    authenticator = person.protect(add_authenticator(person.tab))
    assert violations(person.tab) == []
    for link in LINKS:
        person.go(link)
        person.tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert violations(person.tab) == [], link
    person.go("Back up")
    person.tab.choose_files("#folder", source)
    person.tab.find("button", "Encrypt")
    assert violations(person.tab) == []
    archive = person.back_up(source, into=tmp_path / "saved")
    assert violations(person.tab) == []
    person.choose_archive(archive)
    assert violations(person.tab) == []
    authenticator.wait_for_touch()
    person.tab.click("button", "Restore with a passkey")
    person.tab.wait_text("Use a passkey of this vault.")
    assert violations(person.tab) == []
    person.tab.click("button", "Cancel")
    person.tab.wait_text("Your passkey was not used")
    assert violations(person.tab) == []


@pytest.mark.verify
def test_whole_job_is_done_with_the_keyboard_alone(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    add_authenticator(person.tab)
    tab = person.tab

    def tab_to(role: str, name: str) -> None:
        for _ in range(40):
            if tab.focused() == (role, name):
                return
            tab.press("Tab")
        raise AssertionError(f"the keyboard does not get to {role} {name!r}; it is at {tab.focused()}")

    tab.find("button", "Protect my backups")
    tab.until(lambda: tab.focused() == ("heading", "Overview"), "the view to be read out")
    tab_to("button", "Protect my backups")
    tab.press("Enter")
    tab.find("list", "Recovery key, 8 rows")
    rows, asked = person.shown_key()
    tab_to("textbox", f"Type row {asked} again, to be sure that you have it")
    tab.send("Input.insertText", text="nonsense")
    tab.press("Enter")
    tab.wait_text(f"That is not row {asked}. Compare it with what you wrote down.")
    tab.evaluate("document.activeElement.select()")
    tab.send("Input.insertText", text=rows[asked - 1])
    tab.press("Enter")
    tab.until(lambda: tab.focused() == ("heading", "Your passkey"), "the next step to be read out")
    tab_to("button", "Create a passkey")
    tab.press("Enter")
    tab.wait_text("Your backups are protected, and the key was opened once")
    tab.until(lambda: tab.focused() == ("heading", "Done"), "the last step to be read out")
    tab_to("button", "Back up now")
    tab.press("Enter")
    tab.until(lambda: tab.focused() == ("heading", "Back up"), "the next view to be read out")
    tab.choose_files("#folder", make_tree(tmp_path / "mine"))
    tab.find("button", "Encrypt")
    tab_to("button", "Encrypt")
    tab.press("Enter")
    tab.until(lambda: tab.focused() == ("heading", "The archive is ready"), "the end to be read out")
    tab_to("link", "Save the archive")


@pytest.mark.verify
def test_keyboard_goes_in_the_order_of_reading(chromium: Chromium, place: Place) -> None:
    tab = Person.arrives(chromium, place).tab
    tab.find("button", "Protect my backups")
    tab.evaluate("document.activeElement.blur()")
    tab.evaluate("getSelection().removeAllRanges()")
    tab.evaluate("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
    order = []
    for _ in range(10):
        tab.press("Tab")
        order.append(tab.focused())
    assert order == [
        ("link", "Skip to the content"),
        ("button", "Sign out"),
        *(("link", link) for link in LINKS),
        ("button", "Protect my backups"),
        ("button", "I have a recovery key and an archive"),
    ]


@pytest.mark.verify
def test_nothing_is_cut_off_on_a_small_screen(chromium: Chromium, place: Place) -> None:
    # WCAG 2.2, 1.4.10: at a width of 320 CSS pixels nothing asks to be scrolled sideways, but for the table, which may.
    person = Person.arrives(chromium, place)
    person.tab.send("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)

    def width() -> int:
        shown: int = person.tab.evaluate("document.documentElement.scrollWidth")
        return shown

    person.tab.click("button", "Protect my backups")
    person.tab.find("list", "Recovery key, 8 rows")
    assert width() <= 320
    person.protect()
    for link in LINKS:
        person.go(link)
        person.tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert width() <= 320, link
