"""Builds the page of clients/web/page: esbuild makes one script of it and the library, everything else is copied."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
WEB: Final = _ROOT / "clients" / "web"
_NODE: Final = Path(sys.executable).parent / "node"
# Browsers that have PRF for passkeys, or nearly.
_TARGETS: Final = "chrome123,edge123,firefox128,safari18"
COPIED: Final = ("index.html", "sign-in.html", "page.css", "icon.svg")


def build_page(target: Path, *, source: Path = WEB, entry: str = "page/main.ts", minify: bool = True) -> Path:
    """Build the page below `source` into the folder `target`, and return that.

    Raises:
        RuntimeError: esbuild found a mistake; carries what it said.
    """
    _copy(COPIED, source=source, target=target)
    _bundle(entry, source=source, script=target / "page.js", minify=minify)
    return target


def build_passkey_page(target: Path) -> Path:
    """Build the page that the command line opens for a passkey (docs/browser-page.md) into `target`, and return that.

    Raises:
        RuntimeError: as above.
    """
    _copy(("passkey.html", "page.css", "icon.svg"), source=WEB, target=target)
    _bundle("page/passkey.ts", source=WEB, script=target / "passkey.js", minify=True)
    return target


def _copy(names: tuple[str, ...], *, source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / "page" / name, target / name)


def _bundle(entry: str, *, source: Path, script: Path, minify: bool) -> None:
    command = [
        str(_NODE),
        str(source / "node_modules" / "esbuild" / "bin" / "esbuild"),
        entry,
        "--bundle",
        "--format=esm",
        f"--target={_TARGETS}",
        f"--outfile={script}",
        "--legal-comments=none",
        "--log-level=warning",
        *(["--minify"] if minify else []),
    ]
    done = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the page cannot be built: {done.stderr.strip()}")
