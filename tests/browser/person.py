"""Somebody at the page: does what people do, by what the page says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.browser.authenticators import Virtual, add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.place import Place, fresh_account
from tests.browser.tab import PATIENCE_SECONDS, Tab

LINKS = ("Overview", "Back up", "Restore", "Passkeys", "Recovery key", "History")


@dataclass(slots=True, kw_only=True)
class Person:
    """A person with an account, a tab and what was written down of the recovery key."""

    place: Place
    tab: Tab
    account: str
    recovery_key: str = field(default="", repr=False)

    @classmethod
    def arrives(cls, chromium: Chromium, place: Place, *, may_reset: bool = False) -> Person:
        """Sign in, as somebody new, in a profile that knows nothing."""
        person = cls(place=place, tab=chromium.new_tab(), account=fresh_account())
        person.sign_in(may_reset=may_reset)
        return person

    def sign_in(self, *, may_reset: bool = False) -> None:
        """Sign in where nobody is."""
        self.tab.goto(self.place.origin + "/")
        self.tab.fill("textbox", "Account", self.account)
        if may_reset:
            self.tab.click("checkbox", "Allow this sign-in to start over")
        self.tab.click("button", "Sign in")
        self.tab.find("heading", "Overview")

    def sign_in_again(self) -> None:
        """Load the page anew, so that what watches it is there from its beginning."""
        self.tab.goto(self.place.origin + "/")
        self.tab.find("heading", "Overview")

    def rows(self) -> list[list[str]]:
        """Return the table that is shown, by its cells' texts."""
        rows: list[list[str]] = self.tab.evaluate(
            "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
        )
        return rows

    def passkey_names(self) -> list[str]:
        """Return what the passkeys are called that are listed."""
        names: list[str] = self.tab.evaluate("[...document.querySelectorAll('.list strong')].map(one => one.innerText)")
        return names

    def go(self, link: str) -> None:
        """Go to a section."""
        self.tab.click("link", link)
        self.tab.find("heading", link)
        self.tab.until(lambda: "Asking the vault" not in self.tab.text(), "the vault's answer")

    def protect(self, authenticator: Virtual | None = None) -> Virtual:
        """Protect backups, with a new authenticator if none is given."""
        made = authenticator or add_authenticator(self.tab)
        self.keep_recovery_key()
        self.tab.click("button", "Create a passkey")
        self.tab.wait_text("Your backups are protected, and the key was opened once")
        return made

    def keep_recovery_key(self) -> None:
        """Begin, and write the recovery key down."""
        self.go("Overview")
        self.tab.click("button", "Protect my backups")
        self.recovery_key = self.write_down()
        self.tab.click("button", "Continue")
        self.tab.find("heading", "Your passkey")

    def write_down(self) -> str:
        """Write down the recovery key that is shown, and type the row that is asked for."""
        rows, asked = self.shown_key()
        self.tab.fill("textbox", f"Type row {asked} again, to be sure that you have it", rows[asked - 1])
        return "\n".join(rows)

    def shown_key(self) -> tuple[list[str], int]:
        """Return the rows of the recovery key that is shown, and the number of the one that is asked for."""
        self.tab.find("list", "Recovery key, 8 rows")
        rows: list[str] = self.tab.evaluate(
            "[...document.querySelectorAll('.key-rows li')].map(row => row.textContent)"
        )
        asked = next(
            row
            for row in range(1, 9)
            if self.tab.find_now("textbox", f"Type row {row} again, to be sure that you have it")
        )
        return rows, asked

    def back_up(self, folder: Path, *, into: Path) -> Path:
        """Back up a folder and save the archive `into` another."""
        self.go("Back up")
        self.tab.choose_files("#folder", folder)
        self.tab.click("button", "Encrypt")
        self.tab.find("heading", "The archive is ready")
        return self.save("Save the archive", into=into)

    def choose_archive(self, archive: Path) -> None:
        """Choose an archive to be restored."""
        self.go("Restore")
        self.tab.choose_files("#archive", archive)

    def restore(self, archive: Path, *, into: Path) -> Path:
        """Restore an archive with a passkey and save the ZIP `into` a folder."""
        self.choose_archive(archive)
        self.tab.click("button", "Restore with a passkey")
        self.tab.find("heading", "Restored")
        return self.save("Save all as a ZIP", into=into)

    def restore_with_recovery_key(self, archive: Path, *, into: Path) -> Path:
        """Restore an archive with the recovery key and save the ZIP `into` a folder."""
        self.choose_archive(archive)
        self.open_details("With the recovery key")
        self.tab.fill("textbox", "Recovery key", self.recovery_key)
        self.tab.click("button", "Restore with the recovery key")
        self.tab.find("heading", "Restored")
        return self.save("Save all as a ZIP", into=into)

    def open_details(self, summary: str) -> None:
        """Open what is folded."""
        self.tab.click("", summary)  # what it is has no name in ARIA

    def save(self, link: str, *, into: Path) -> Path:
        """Follow a link that downloads, and return the file once it is whole."""
        into.mkdir(exist_ok=True)
        before = set(into.iterdir())
        self.tab.download_to(into)
        self.tab.click("link", link)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            arrived = [path for path in set(into.iterdir()) - before if path.suffix != ".crdownload"]
            if arrived:
                return arrived[0]
            assert time.monotonic() < deadline, f"nothing was saved; the page says {self.tab.text()!r}"
            time.sleep(0.03)

    def take_another_device(self) -> None:
        """Come back on a device that knows nothing; the authenticators are still plugged in, as if they were synced."""
        self.tab.goto("about:blank")
        for storage in ("Network.clearBrowserCookies", "Network.clearBrowserCache"):
            self.tab.send(storage)
        self.tab.send("Storage.clearDataForOrigin", origin=self.place.origin, storageTypes="all")
        self.sign_in()
        assert self.tab.evaluate("indexedDB.databases().then(all => all.length)") <= 1, "made anew by this visit alone"
