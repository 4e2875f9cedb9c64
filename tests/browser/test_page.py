"""The main job at the page: protect, back up, come back on another device, restore, and see who opened what."""

from __future__ import annotations

from pathlib import Path

from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.traffic import Traffic
from tests.browser.trees import CONTENTS, make_tree, zip_contents


def test_backup_is_restored_on_another_device_and_no_prf_result_leaves_the_page(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "mine")
    person = Person.arrives(chromium, place)
    traffic = Traffic(person.tab)
    person.sign_in_again()

    person.protect()
    archive = person.back_up(source, into=tmp_path / "saved")
    assert archive.name.endswith(".tar.zst.age")
    person.take_another_device()
    person.tab.wait_text("This browser does not know yet which key to back up to")
    restored = person.restore(archive, into=tmp_path / "restored")

    assert zip_contents(restored) == {f"mine/{name}": content for name, content in CONTENTS.items()}
    person.go("History")
    rows = person.rows()
    assert [what for _, what, _, _ in rows] == ["Backup opened", "Backup opened", "Key stored", "Passkey registered"]
    assert {how for _, _, _, how in rows} == {"Done."}
    person.tab.wait_text("4 entries, newest first. This page has checked that none is missing")

    assert len(traffic.secrets()) == 1, "one passkey, one input, one result"
    assert traffic.leaks() == []
    hosts = {address.split("/")[2] for address in traffic.addresses() if address.startswith("http")}
    vault = place.vault.files.browser_url
    assert vault is not None
    assert hosts == {place.origin.removeprefix("http://"), vault.removeprefix("http://")}
    assert person.tab.complaints == []
