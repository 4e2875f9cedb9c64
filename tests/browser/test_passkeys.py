"""Several passkeys: one more, one less, synced ones, each kind of signature; and what people are told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.authenticators import Virtual, add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.hands import Hands
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.platforms import know_one_algorithm
from tests.browser.trees import CONTENTS, make_tree, zip_contents

EXPECTED = {f"mine/{name}": content for name, content in CONTENTS.items()}
ES256, ED25519, RS256 = -7, -8, -257


def add_second(person: Person, hands: Hands, phone: Virtual, laptop: Virtual) -> None:
    """Add the laptop's passkey by the phone's, and be told what each touch is for."""
    person.go("Passkeys")
    person.tab.wait_text("Lose this one: your recovery key still opens everything")
    person.tab.fill("textbox", "What to call it", "my laptop")
    person.tab.click("button", "Add a passkey")
    for prompt, chosen, other, said in (
        ("get", phone, laptop, "Use a passkey that you have."),
        ("create", laptop, phone, "Make the new passkey."),
        ("get", laptop, phone, "Use the new passkey, to prove that it opens your backups."),
        ("get", phone, laptop, "Use a passkey that you have."),
        ("get", laptop, phone, "Use the new passkey, to prove that it opens your backups."),
    ):
        person.tab.wait_text(said)
        hands.touch(prompt, chosen, other)
    person.tab.wait_text("1 other passkey and your recovery key still open everything.")
    assert len(laptop.credentials()) == 1


@pytest.mark.verify
def test_second_passkey_opens_old_and_new_backups_and_the_first_one_opens_nothing_once_removed(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    hands = Hands(person.tab)
    person.sign_in_again()
    phone = add_authenticator(person.tab)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    for prompt in ("create", "get", "get"):
        hands.touch(prompt, phone)
    person.tab.wait_text("Your backups are protected, and the key was opened once")
    old = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")

    laptop = add_authenticator(person.tab, transport="usb")
    add_second(person, hands, phone, laptop)

    person.take_another_device()
    person.choose_archive(old)
    person.tab.click("button", "Restore with a passkey")
    hands.touch("get", laptop, phone)
    person.tab.find("heading", "Restored")
    assert zip_contents(person.save("Save all as a ZIP", into=tmp_path / "by-laptop")) == EXPECTED

    person.go("Passkeys")
    [first] = set(person.passkey_names()) - {"my laptop"}
    person.tab.click("button", f"Remove {first}")
    person.tab.wait_text("It will open nothing from now on: not the vault, and no backup that you make after this.")
    person.tab.click("button", "Remove it")
    for said in ("Use another passkey, which stays.", "Use a passkey that you have."):
        person.tab.wait_text(said)
        hands.touch("get", laptop, phone)
    person.tab.until(lambda: len(person.passkey_names()) == 1, "one passkey")
    new = person.back_up(tmp_path / "mine", into=tmp_path / "saved-later")

    laptop.remove()
    person.choose_archive(new)
    person.tab.click("button", "Restore with a passkey")
    hands.touch("get", phone)
    person.tab.wait_text("Your passkey was not used The request was cancelled, took too long")
    person.go("History")
    person.tab.wait_text("Passkey removed")
    assert "a passkey that was removed" in {by for _, _, by, _ in person.rows()}


@pytest.mark.verify
def test_passkey_is_renamed(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    person.go("Passkeys")
    [name] = person.passkey_names()
    person.tab.click("button", f"Rename {name}")
    person.tab.fill("textbox", "New name", "my phone")
    person.tab.click("button", "Rename it")
    person.tab.until(lambda: person.passkey_names() == ["my phone"], "the new name")
    person.tab.click("button", "Rename my phone")
    person.tab.fill("textbox", "New name", "\u202e")
    person.tab.click("button", "Rename it")
    person.tab.wait_text("That is no name for a passkey Use one line of at most 128 bytes, without blanks at its ends.")
    person.go("History")
    assert "my phone" in {by for _, _, by, _ in person.rows()}


@pytest.mark.verify
def test_the_same_device_is_not_taken_twice(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    person.go("Passkeys")
    person.tab.click("button", "Add a passkey")
    person.tab.wait_text("That device already holds a passkey of this vault Nothing was changed.")
    assert len(person.passkey_names()) == 1


@pytest.mark.verify
@pytest.mark.parametrize(("synced", "said"), [(True, "synced"), (False, "on one device")])
def test_synced_passkeys_are_told_apart(chromium: Chromium, place: Place, *, synced: bool, said: str) -> None:
    person = Person.arrives(chromium, place)
    person.protect(add_authenticator(person.tab, synced=synced))
    person.go("Passkeys")
    tags: list[str] = person.tab.evaluate("[...document.querySelectorAll('.tag')].map(tag => tag.innerText)")
    assert tags == [said]


@pytest.mark.verify
@pytest.mark.parametrize("algorithm", [ES256, ED25519, RS256])
def test_every_offered_algorithm_protects_and_restores(
    chromium: Chromium, place: Place, tmp_path: Path, algorithm: int
) -> None:
    person = Person.arrives(chromium, place)
    know_one_algorithm(person.tab, algorithm)
    person.sign_in_again()
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    person.take_another_device()
    assert zip_contents(person.restore(archive, into=tmp_path / "restored")) == EXPECTED


@pytest.mark.verify
def test_who_lost_all_passkeys_gets_in_by_the_recovery_key_and_nothing_is_lost(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    lost = person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    lost.remove()
    person.take_another_device()
    add_authenticator(person.tab)
    person.go("Recovery key")
    person.open_details("I lost my passkeys")
    other = Person.arrives(chromium, place)
    other.protect()
    person.tab.fill("textbox", "Recovery key", other.recovery_key)
    person.tab.click("button", "Make a new passkey")
    person.tab.wait_text("That is another recovery key There is no mistake in it, but it is not the one")
    person.tab.fill("textbox", "Recovery key", person.recovery_key)
    person.tab.click("button", "Make a new passkey")
    person.tab.find("heading", "Passkeys")
    person.tab.until(lambda: len(person.passkey_names()) == 2, "the new passkey beside the lost one")
    assert zip_contents(person.restore(archive, into=tmp_path / "restored")) == EXPECTED
    person.go("History")
    assert ["Passkey added", "recovery key", "Done."] in [row[1:] for row in person.rows()]


@pytest.mark.verify
def test_replaced_recovery_key_opens_new_archives_and_the_old_one_those_from_before(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    source = make_tree(tmp_path / "mine")
    before, old_key = person.back_up(source, into=tmp_path / "before"), person.recovery_key
    person.go("Recovery key")
    person.open_details("Replace the recovery key")
    person.tab.wait_text("Keep the old paper as long as you keep those archives.")
    person.tab.click("button", "Show a new key")
    person.recovery_key = person.write_down()
    person.tab.click("button", "Replace the old key")
    person.tab.wait_text("The new recovery key is in force.")
    after = person.back_up(source, into=tmp_path / "after")

    assert zip_contents(person.restore_with_recovery_key(after, into=tmp_path / "1")) == EXPECTED
    person.choose_archive(before)
    person.open_details("With the recovery key")
    person.tab.fill("textbox", "Recovery key", person.recovery_key)
    person.tab.click("button", "Restore with the recovery key")
    person.tab.wait_text("These keys do not open this archive")
    person.recovery_key = old_key
    assert zip_contents(person.restore_with_recovery_key(before, into=tmp_path / "2")) == EXPECTED
    assert zip_contents(person.restore(before, into=tmp_path / "3")) == EXPECTED

    person.go("Recovery key")
    person.open_details("Check what I wrote down")
    person.tab.fill("textbox", "Recovery key", old_key)
    person.tab.click("button", "Check it")
    person.tab.wait_text("No mistake in it, but it is not the key that is in force now.")
