"""What people are told when a passkey, a device or a page will not do; and what is left to them then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.platforms import (
    change_prf_from_evaluation,
    evaluate_prf_for_assertions_only,
    have_no_prf,
    want_a_click_for_each_prompt,
)
from tests.browser.trees import CONTENTS, make_tree, zip_contents

PASSKEY_NOT_USED = (
    "Your passkey was not used The request was cancelled, took too long, or your device did not recognise you."
    " Nothing was changed, and no attempt was used."
)
UNSTABLE = (
    "This passkey does not give the same key twice A backup locked with it might never open again, so this page does"
    " not use it."
)


@pytest.mark.verify
def test_prf_at_assertions_only_is_enough(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    evaluate_prf_for_assertions_only(person.tab)
    person.sign_in_again()
    person.protect()
    assert person.tab.complaints == []


@pytest.mark.verify
def test_passkey_without_prf_is_refused_and_the_vault_may_hold_the_key_if_the_person_says_so(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    authenticator = add_authenticator(person.tab, prf=False)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.wait_text(
        "This passkey cannot lock backups by itself It lacks an ability that is called PRF. Nothing was stored."
        " Use another passkey, such as the one built into your phone or computer, or a newer security key."
    )
    person.tab.wait_text("Then whoever runs the vault could read your backups, which they cannot do otherwise.")
    assert person.tab.focused()[0] == "heading"

    person.tab.click("button", "Let the vault hold the key")
    person.tab.wait_text("Your passkey then guards the key, but does not lock it.")
    person.tab.click("button", "Let the vault hold it")
    person.tab.wait_text("Your backups are protected, and the key was opened once")
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    assert len(authenticator.credentials()) == 2, "the first try made one, too"

    person.take_another_device()
    person.tab.wait_text("The vault keeps the key to them, and gives it out to your passkey only.")
    person.choose_archive(archive)
    person.tab.click("button", "Restore with a passkey")
    person.tab.find("heading", "The vault holds your key by itself")
    person.tab.click("button", "I chose that: go on")
    person.tab.find("heading", "Restored")
    restored = person.save("Save all as a ZIP", into=tmp_path / "restored")
    assert zip_contents(restored) == {f"mine/{name}": content for name, content in CONTENTS.items()}


@pytest.mark.verify
def test_vault_held_is_not_taken_unasked(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    add_authenticator(person.tab, prf=False)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.click("button", "Let the vault hold the key")
    person.tab.click("button", "Let the vault hold it")
    person.tab.wait_text("Your backups are protected, and the key was opened once")
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    person.take_another_device()
    person.choose_archive(archive)
    person.tab.click("button", "Restore with a passkey")
    person.tab.find("heading", "The vault holds your key by itself")
    person.tab.click("button", "Cancel")
    person.go("History")
    assert [what for _, what, _, _ in person.rows()].count("Backup opened") == 1, "at enrollment, and not since"


@pytest.mark.verify
def test_key_that_the_vault_held_is_locked_by_the_passkey_once_the_browser_can(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, place)
    bring_up_to_date = have_no_prf(person.tab)
    person.sign_in_again()
    add_authenticator(person.tab)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.click("button", "Let the vault hold the key")
    person.tab.click("button", "Let the vault hold it")
    person.tab.wait_text("Your backups are protected, and the key was opened once")
    before = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "before")
    person.go("Passkeys")
    person.tab.wait_text("So whoever runs the vault could read your backups.")
    person.tab.click("button", "Lock it with my passkeys")
    person.tab.wait_text("This passkey cannot lock backups by itself")

    bring_up_to_date()
    person.sign_in_again()
    person.go("Passkeys")
    person.tab.click("button", "Lock it with my passkeys")
    person.tab.wait_text(
        "Only your passkey and your recovery key can open them. Neither the vault nor the product can."
    )
    after = person.back_up(tmp_path / "mine", into=tmp_path / "after")
    person.take_another_device()
    expected = {f"mine/{name}": content for name, content in CONTENTS.items()}
    for place_of, archive in enumerate((before, after)):
        assert zip_contents(person.restore(archive, into=tmp_path / str(place_of))) == expected
    person.go("Passkeys")
    assert "The vault holds your key by itself" not in person.tab.text()


@pytest.mark.parametrize("evaluation", [2, pytest.param(3, marks=pytest.mark.verify)])
def test_prf_that_changes_is_found_out_at_enrollment(chromium: Chromium, place: Place, evaluation: int) -> None:
    person = Person.arrives(chromium, place)
    change_prf_from_evaluation(person.tab, evaluation)
    person.sign_in_again()
    add_authenticator(person.tab)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.wait_text(UNSTABLE)
    assert "Your backups are protected" not in person.tab.text()


@pytest.mark.verify
def test_prf_that_changes_later_costs_no_attempt(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    change_prf_from_evaluation(person.tab, 1)
    person.sign_in_again()
    person.choose_archive(archive)
    person.tab.click("button", "Restore with a passkey")
    person.tab.wait_text(
        "Your passkey answered, but its key does not fit The vault accepted it, and no attempt was lost, but it does"
        " not open what was locked before."
    )
    person.go("Overview")
    person.tab.wait_text("Failed attempts left 10 of 10")
    restored = person.restore_with_recovery_key(archive, into=tmp_path / "restored")
    assert zip_contents(restored) == {f"mine/{name}": content for name, content in CONTENTS.items()}


@pytest.mark.verify
def test_device_that_does_not_recognise_its_user(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    add_authenticator(person.tab, verifies_user=False)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.wait_text(PASSKEY_NOT_USED)
    person.go("Overview")
    person.tab.wait_text("Protect my backups")


def test_prompt_that_is_cancelled_can_be_begun_again(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    authenticator = add_authenticator(person.tab)
    authenticator.wait_for_touch()
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    person.tab.wait_text("Waiting for your passkey 1 of 3: make the passkey.")
    person.tab.press("Escape")
    person.tab.wait_text(PASSKEY_NOT_USED)
    assert person.tab.focused() == ("heading", "Your passkey was not used")
    authenticator.touch()
    person.tab.click("button", "Create a passkey")
    person.tab.wait_text("Your backups are protected, and the key was opened once")


@pytest.mark.verify
def test_browser_that_wants_a_click_for_each_prompt(chromium: Chromium, place: Place) -> None:
    person = Person.arrives(chromium, place)
    want_a_click_for_each_prompt(person.tab)
    person.sign_in_again()
    add_authenticator(person.tab)
    person.keep_recovery_key()
    person.tab.click("button", "Create a passkey")
    for step in ("2 of 3: use it to lock your key.", "3 of 3: use it once more, to prove that it opens again."):
        person.tab.wait_text(step)
        person.tab.click("button", "Continue")
    person.tab.wait_text("Your backups are protected, and the key was opened once")


@pytest.mark.verify
def test_mistyped_recovery_key_is_located_by_row(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    person = Person.arrives(chromium, place)
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    rows = person.recovery_key.splitlines()
    swapped = [*rows[:2], rows[3], rows[2], *rows[4:]]
    person.choose_archive(archive)
    person.open_details("With the recovery key")
    for typed, told in (
        ("\n".join(swapped), "There is a mistake in row 3, 4: look for a wrong or swapped digit"),
        ("\n".join([*rows[:7], "O000 0000-0"]), "There is a mistake in row 8: look for a wrong or swapped digit"),
        ("\n".join(rows[:7]), "The number of digits is wrong: 8 rows of 9 digits are needed"),
    ):
        person.tab.fill("textbox", "Recovery key", typed)
        person.tab.click("button", "Restore with the recovery key")
        person.tab.wait_text(told)
        assert person.tab.focused() == ("textbox", "Recovery key")


@pytest.mark.verify
def test_damaged_and_foreign_archives_are_told_apart(chromium: Chromium, place: Place, tmp_path: Path) -> None:
    other = Person.arrives(chromium, place)
    other.protect()
    foreign = other.back_up(make_tree(tmp_path / "theirs"), into=tmp_path / "their-own")
    person = Person.arrives(chromium, place)
    person.protect()
    whole = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved").read_bytes()
    cut, altered = tmp_path / "cut.age", tmp_path / "altered.age"
    cut.write_bytes(whole[:-20])
    altered.write_bytes(whole[:1_000] + bytes([whole[1_000] ^ 1]) + whole[1_001:])
    damaged = "This archive is damaged It was cut short or altered, or it is not an archive of Strongroom."
    for archive, told in (
        (cut, damaged),
        (altered, damaged),
        (foreign, "These keys do not open this archive It was made for another account"),
    ):
        person.choose_archive(archive)
        person.tab.click("button", "Restore with a passkey")
        person.tab.wait_text(told)
        assert person.tab.find_now("link", "Save all as a ZIP") == []
