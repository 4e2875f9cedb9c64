"""Somebody with the login and no passkey uses up the attempts; and two devices that change one vault at once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.page_server import PageServer
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.hands import Hands
from tests.browser.person import Person
from tests.browser.place import Place, page_settings
from tests.browser.platforms import sign_wrongly
from tests.browser.trees import CONTENTS, make_tree, zip_contents

EXPECTED = {f"mine/{name}": content for name, content in CONTENTS.items()}
_BUDGET = 3
Opened = Callable[[str], Place]


@pytest.fixture
def few_attempts(page_folder: Path) -> Iterator[Opened]:
    """Starts a vault that allows three wrong signatures, and then does as it is told."""
    folder = Path(tempfile.mkdtemp(prefix="web-")).resolve()
    with ExitStack() as stack:
        stack.callback(remove_tree, folder)

        def opened(on_exhaustion: str) -> Place:
            [port] = free_ports(1)
            origins = (f"http://localhost:{port}",)
            policy: dict[str, int | list[int]] = {"budget": _BUDGET, "cool_down_seconds": []}
            files = make_files(folder / "vault", VaultShape(keepers=1, origins=origins, policy=policy, browser=True))
            tenant = files.folder / "tenants" / f"{files.tenant.name}.toml"
            said = tenant.read_text().replace('on_exhaustion = "destroy"', f'on_exhaustion = "{on_exhaustion}"')
            tenant.write_text(said)
            vault = DevelopmentVault(files)
            vault.init()
            stack.enter_context(vault)
            vault.serve()
            server = stack.enter_context(PageServer(page_settings(vault, page_folder), port=port))
            return Place(vault=vault, origin=server.origin)

        yield opened


def use_up(person: Person, archive: Path) -> None:
    """Try with a wrong signature until no attempt is left."""
    sign_wrongly(person.tab)
    person.sign_in_again()
    for left in range(_BUDGET, 0, -1):
        person.go("Overview")
        person.tab.wait_text(f"Failed attempts left {left} of {_BUDGET}")
        person.choose_archive(archive)
        person.tab.click("button", "Restore with a passkey")
        person.tab.wait_text(
            "The vault did not accept your passkey Nothing was given out. If it was a wrong signature,"
        )


@pytest.mark.verify
def test_attempts_used_up_erase_the_keys_and_the_recovery_key_still_opens(
    chromium: Chromium, few_attempts: Opened, tmp_path: Path
) -> None:
    person = Person.arrives(chromium, few_attempts("destroy"))
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    use_up(person, archive)
    person.choose_archive(archive)
    person.tab.click("button", "Restore with a passkey")
    person.tab.wait_text(
        "All attempts are used up, and the vault has erased its keys Archives that you still have open"
    )
    person.go("Overview")
    person.tab.wait_text("All attempts were used up, and the vault has erased the keys it kept.")
    person.go("History")
    person.tab.wait_text("Refused: wrong signature. It used up the last attempt.")
    assert zip_contents(person.restore_with_recovery_key(archive, into=tmp_path / "restored")) == EXPECTED


@pytest.mark.verify
def test_attempts_used_up_close_the_vault_and_the_recovery_key_opens_it_at_once(
    chromium: Chromium, few_attempts: Opened, tmp_path: Path
) -> None:
    place = few_attempts("lock")
    person = Person.arrives(chromium, place)
    person.protect()
    archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
    use_up(person, archive)
    person.choose_archive(archive)
    person.tab.click("button", "Restore with a passkey")
    person.tab.wait_text("Your vault is closed after too many failed attempts Nothing is lost.")
    person.go("Overview")
    person.tab.click("button", "Open the vault again")
    person.tab.find("heading", "With a passkey, when the wait is over")
    person.tab.fill("textbox", "Recovery key", person.recovery_key)
    person.tab.click("button", "Open the vault")
    person.tab.find("heading", "Overview")
    person.tab.wait_text("Your backups are protected")
    person.tab.wait_text(f"Failed attempts left {_BUDGET} of {_BUDGET}")
    person.go("History")
    assert ["Vault reopened", "recovery key", "Done."] in [row[1:] for row in person.rows()]


@pytest.mark.verify
def test_of_two_devices_at_once_one_is_told_that_the_other_was_faster(chromium: Chromium, place: Place) -> None:
    slow = Person.arrives(chromium, place)
    hands = Hands(slow.tab)
    slow.sign_in_again()
    phone = add_authenticator(slow.tab)
    slow.keep_recovery_key()
    slow.tab.click("button", "Create a passkey")
    for prompt in ("create", "get", "get"):
        hands.touch(prompt, phone)
    slow.tab.wait_text("Your backups are protected, and the key was opened once")
    slow.go("Passkeys")
    [name] = slow.passkey_names()
    slow.tab.click("button", f"Rename {name}")
    slow.tab.fill("textbox", "New name", "my phone")
    slow.tab.click("button", "Rename it")
    slow.tab.wait_text("Use a passkey that you have.")

    fast = Person(place=place, tab=chromium.new_tab(), account=slow.account, recovery_key=slow.recovery_key)
    fast.sign_in()
    add_authenticator(fast.tab)
    fast.go("Recovery key")
    fast.open_details("I lost my passkeys")
    fast.tab.fill("textbox", "Recovery key", fast.recovery_key)
    fast.tab.click("button", "Make a new passkey")
    fast.tab.until(lambda: len(fast.passkey_names()) == 2, "the new passkey")

    hands.touch("get", phone)
    slow.tab.wait_text(
        "Something else changed your vault just now Perhaps you use it on two devices at once, or waited too long."
        " Nothing was changed by this attempt: do it again."
    )
    slow.go("Passkeys")
    slow.tab.wait_text("A passkey was added elsewhere If that was not you, remove it under Passkeys")
    assert "my phone" not in slow.passkey_names()
