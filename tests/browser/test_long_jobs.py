"""What takes long: progress that is seen and heard, a way out, and nothing half made that is left."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.platforms import have_no_private_files
from tests.browser.tab import Tab
from tests.browser.trees import CONTENTS, make_tree, zip_contents

_MANY_BYTES = 80_000_000
_STAGED = """navigator.storage.getDirectory()
  .then((root) => root.getDirectoryHandle("strongroom-staging"))
  .then(async (folder) => { let count = 0; for await (const _ of folder.keys()) count += 1; return count; })
  .catch((error) => error.name)"""


@pytest.fixture
def big(tmp_path: Path) -> Path:
    folder = tmp_path / "big"
    folder.mkdir()
    (folder / "film").write_bytes(secrets.token_bytes(1_000_000) * (_MANY_BYTES // 1_000_000))
    return folder


def bar(tab: Tab) -> float:
    """Return how far the job is that is shown, from 0 to 1; -1 where none is."""
    shown: float = tab.evaluate("document.querySelector('progress')?.position ?? -1")
    return shown


@pytest.mark.verify
def test_encryption_shows_how_far_it_is_and_can_be_cancelled(chromium: Chromium, place: Place, big: Path) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    tab = person.tab
    person.go("Back up")
    tab.choose_files("#folder", big)
    tab.click("button", "Encrypt")
    tab.until(lambda: 0 < bar(tab) < 1, "a bar that has begun")
    assert len(tab.find_now("progressbar", "Encrypting")) == 1
    tab.click("button", "Cancel")
    tab.until(lambda: bar(tab) == -1, "the end of the job")
    tab.wait_text("Cancelled. No archive was made.")
    tab.find("button", "Choose a folder: No file chosen")
    tab.until(lambda: tab.evaluate(_STAGED) == 0, "nothing to be left")
    assert tab.complaints == []


@pytest.mark.verify
def test_restoring_can_be_cancelled_too_and_what_a_closed_page_left_is_removed(
    chromium: Chromium, place: Place, big: Path, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    tab = person.tab
    archive = person.back_up(big, into=tmp_path / "saved")
    assert tab.evaluate(_STAGED) == 1
    person.sign_in_again()
    assert tab.evaluate(_STAGED) == "NotFoundError", "a later visit tidies up"
    person.choose_archive(archive)
    tab.click("button", "Restore with a passkey")
    tab.until(lambda: 0 < bar(tab) < 1, "a bar that has begun")
    tab.click("button", "Cancel")
    tab.wait_text("Cancelled. Nothing was restored.")
    tab.until(lambda: tab.evaluate(_STAGED) == 0, "nothing to be left")
    person.go("Overview")
    assert tab.complaints == []


@pytest.mark.verify
def test_browser_without_private_files_keeps_them_in_memory(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    have_no_private_files(person.tab)
    person.sign_in_again()
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    restored = person.restore(archive, into=tmp_path / "restored")
    assert zip_contents(restored) == {f"mine/{name}": content for name, content in CONTENTS.items()}
    assert person.tab.evaluate(_STAGED) == "NotFoundError", "nothing was ever there"
    cut = tmp_path / "cut.age"
    cut.write_bytes(archive.read_bytes()[:-20])
    person.choose_archive(cut)
    person.tab.click("button", "Restore with a passkey")
    person.tab.wait_text("This archive is damaged It was cut short or altered")
    assert person.tab.find_now("link", "Save all as a ZIP") == []
