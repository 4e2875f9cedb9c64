"""A reset: what its owner sees of it, and how what was set aside is taken back; and the end of protection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.trees import CONTENTS, make_tree, zip_contents

EXPECTED = {f"mine/{name}": content for name, content in CONTENTS.items()}


@pytest.mark.verify
@pytest.mark.parametrize("by", ["passkey", "recovery key"])
def test_what_a_stolen_login_has_set_aside_is_seen_and_taken_back(
    chromium: Chromium, place: Place, tmp_path: Path, by: str
) -> None:
    owner = Person.arrives(chromium, place)
    owner.protect()
    archive = owner.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")

    thief = Person(place=place, tab=chromium.new_tab(), account=owner.account)
    thief.sign_in(may_reset=True)
    thief.go("Recovery key")
    thief.open_details("I lost everything")
    thief.tab.click("button", "Start over...")
    thief.tab.wait_text("What is in the vault is set aside and erased after 30 days")
    thief.tab.click("button", "Start over")
    thief.tab.wait_text("You have started over: what was there before is set aside.")
    thief.protect()

    owner.go("Overview")
    owner.tab.wait_text("Something is set aside, and will be erased")
    owner.tab.wait_text("Your vault was begun anew elsewhere")
    owner.go("History")
    owner.tab.wait_text("Started over: what was there was set aside")
    owner.tab.click("button", "Look at what is set aside")
    owner.tab.find("heading", "Set aside")
    owner.tab.wait_text("Its passkeys 1 Its recovery key can take it back, too")
    if by == "passkey":
        owner.tab.click("button", "Take it back with a passkey")
    else:
        owner.open_details("With the recovery key")
        owner.tab.fill("textbox", "Recovery key", thief.recovery_key)
        owner.tab.click("button", "Take it back with the recovery key")
        owner.tab.click("button", "Take it back")
        owner.tab.wait_text("That is another recovery key")
        owner.tab.fill("textbox", "Recovery key", owner.recovery_key)
        owner.tab.click("button", "Take it back with the recovery key")
    owner.tab.wait_text("It takes the place of the newer vault, which is dropped")
    owner.tab.click("button", "Take it back")
    owner.tab.find("heading", "Overview")
    owner.tab.wait_text("Your backups are protected")
    assert "Something is set aside" not in owner.tab.text()
    assert zip_contents(owner.restore(archive, into=tmp_path / "restored")) == EXPECTED


@pytest.mark.verify
def test_sign_in_that_may_not_reset_is_offered_none(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    person.go("Recovery key")
    assert "I lost everything" not in person.tab.text()


@pytest.mark.verify
def test_protection_is_turned_off_after_a_warning(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    person.go("Recovery key")
    person.open_details("Turn the protection off")
    person.tab.click("button", "Turn it off...")
    person.tab.wait_text("Passkeys then open nothing, and the archives that you have open with your recovery key only.")
    person.tab.click("button", "Cancel")
    person.tab.click("button", "Turn it off...")
    person.tab.click("button", "Turn it off")
    person.tab.wait_text("The protection was turned off. Archives from before still open with your recovery key.")
    assert zip_contents(person.restore_with_recovery_key(archive, into=tmp_path / "restored")) == EXPECTED


@pytest.mark.verify
def test_sign_in_that_has_run_out_is_told(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    person.tab.evaluate(
        """Promise.all([fetch, 0]).then(() => {
          const meta = document.querySelector('meta[name="strongroom-settings"]');
          const settings = JSON.parse(meta.content);
          sessionStorage.setItem("spoiled", JSON.stringify({ ...settings, accountToken: settings.accountToken + "x" }));
        })"""
    )
    person.tab.send(
        "Page.addScriptToEvaluateOnNewDocument",
        source="""document.addEventListener("readystatechange", () => {
          const meta = document.querySelector('meta[name="strongroom-settings"]');
          if (meta !== null) {
            meta.content = sessionStorage.getItem("spoiled");
          }
        })""",
    )
    person.tab.goto(place.origin + "/")
    person.tab.wait_text("Your sign-in has run out Sign in again; nothing is lost.")
    person.tab.click("button", "Sign in again")
    person.tab.find("heading", "Sign in")
