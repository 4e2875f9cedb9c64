"""Folders to back up, and what came back of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

CONTENTS: Final = {
    "letters/anna.txt": b"Dear Anna\n",
    "letters/gr\u00fc\u00dfe.txt": "Gr\u00fc\u00dfe\n".encode(),
    "empty": b"",
    "pictures/noise.bin": bytes(range(256)) * 8_192,
}


def make_tree(folder: Path) -> Path:
    """Make a folder with files of several kinds, and return it."""
    for name, content in CONTENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zip_contents(path: Path) -> dict[str, bytes]:
    """Return the files of a ZIP that is whole."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
