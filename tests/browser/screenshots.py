"""Pictures of the page's main states, light and dark, for docs/page.md; on a real vault, with a virtual authenticator.

python -m tests.browser.screenshots [FOLDER]         default docs/page
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from deploy.development.environment import DevelopmentVault, VaultShape
from deploy.development.page_bundle import build_page
from deploy.development.page_server import PageServer
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place, page_settings
from tests.browser.platforms import change_prf_from_evaluation
from tests.browser.tab import Tab

_ROOT: Final = Path(__file__).resolve().parents[2]
_WIDTH: Final = 800
_MAX_HEIGHT: Final = 1_300
_SCALE: Final = 0.75
_SCHEMES: Final = ("light", "dark")
_PHOTOS: Final = {"2025/lake.jpg": 3_200_000, "2025/mountain.jpg": 2_700_000, "2026/cat.jpg": 1_900_000}


class Photographer:
    """Takes pictures of a tab, each in both colour schemes, as high as what is shown."""

    def __init__(self, tab: Tab, folder: Path) -> None:
        self._tab, self._folder = tab, folder
        tab.send("Emulation.setScrollbarsHidden", hidden=True)
        self._frame(_MAX_HEIGHT)

    def take(self, name: str) -> None:
        """Write NAME-light.png and NAME-dark.png."""
        shown: int = self._tab.evaluate("Math.ceil(document.body.getBoundingClientRect().bottom + scrollY)")
        self._frame(min(shown, _MAX_HEIGHT))
        for scheme in _SCHEMES:
            self._tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            self._tab.evaluate("scrollTo(0, 0), new Promise((resolve) => requestAnimationFrame(() => resolve()))")
            self._tab.screenshot(self._folder / f"{name}-{scheme}.png")
        self._frame(_MAX_HEIGHT)

    def _frame(self, height: int) -> None:
        self._tab.send(
            "Emulation.setDeviceMetricsOverride", width=_WIDTH, height=height, deviceScaleFactor=_SCALE, mobile=False
        )


def main(arguments: Sequence[str]) -> int:
    """Take all pictures; 0 when they are taken."""
    parser = argparse.ArgumentParser(prog="screenshots", description="Pictures of the page's main states.")
    parser.add_argument("folder", nargs="?", type=Path, default=_ROOT / "docs" / "page")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="web-")).resolve()
    try:
        _on_a_vault(scratch, lambda place, chromium: _story(place, chromium, scratch, folder))
    finally:
        remove_tree(scratch)
    return 0


def _on_a_vault(scratch: Path, story: Callable[[Place, Chromium], None]) -> None:
    [port] = free_ports(1)
    shape = VaultShape(keepers=1, origins=(f"http://localhost:{port}",), browser=True)
    built = build_page(scratch / "page")
    with (
        DevelopmentVault.start(scratch / "vault", shape=shape) as vault,
        PageServer(page_settings(vault, built), port=port) as server,
        Chromium() as chromium,
    ):
        story(Place(vault=vault, origin=server.origin), chromium)


def _story(place: Place, chromium: Chromium, scratch: Path, folder: Path) -> None:
    owner = Person(place=place, tab=chromium.new_tab(), account="anna")
    camera = Photographer(owner.tab, folder)
    owner.sign_in()
    _protects(owner, camera)
    _restores(owner, camera, scratch)
    thief = Person(place=place, tab=chromium.new_tab(), account=owner.account)
    _starts_over(thief)
    owner.go("History")
    camera.take("history")
    owner.tab.click("button", "Look at what is set aside")
    owner.tab.find("button", "Take it back with a passkey")
    camera.take("set-aside")


def _protects(owner: Person, camera: Photographer) -> None:
    owner.tab.click("button", "Protect my backups")
    owner.tab.find("list", "Recovery key, 8 rows")
    camera.take("recovery-key")
    owner.protect(add_authenticator(owner.tab, synced=True))
    owner.go("Overview")
    camera.take("overview")
    owner.go("Passkeys")
    camera.take("passkeys")


def _restores(owner: Person, camera: Photographer, scratch: Path) -> None:
    photos = scratch / "photos"
    for name, size in _PHOTOS.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(bytes(size))
    owner.go("Back up")
    owner.tab.choose_files("#folder", photos)
    owner.tab.find("button", "Encrypt")
    camera.take("backup")
    archive = owner.back_up(photos, into=scratch / "saved")
    change_prf_from_evaluation(owner.tab, 1)
    owner.sign_in_again()
    owner.choose_archive(archive)
    owner.tab.click("button", "Restore with a passkey")
    owner.tab.wait_text("Your passkey answered, but its key does not fit")
    camera.take("wrong-key")
    owner.restore_with_recovery_key(archive, into=scratch / "restored")
    camera.take("restored")


def _starts_over(thief: Person) -> None:
    thief.sign_in(may_reset=True)
    thief.go("Recovery key")
    thief.open_details("I lost everything")
    thief.tab.click("button", "Start over...")
    thief.tab.click("button", "Start over")
    thief.tab.wait_text("You have started over")
    thief.protect()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
