"""The code blocks of docs/integrate.md, as whoever follows the page would take them from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
GUIDE: Final = ROOT / "docs" / "integrate.md"
PORT: Final = "8737"
"""Where the guide has its backend; tests put a free port in its place."""
_BLOCK: Final = re.compile(r"^```(?P<language>\w*) ?(?P<name>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block: its language, the file that it is to be in (none for commands), and its text."""

    language: str
    name: str
    text: str


def blocks() -> Iterator[Block]:
    """Yield all blocks, in order."""
    page = GUIDE.read_text(encoding="utf-8")
    found = [Block(**match.groupdict()) for match in _BLOCK.finditer(page)]
    assert len(found) * 2 == page.count("```"), "a block that is not closed, or not at the beginning of its line"
    yield from found


def block_named(name: str) -> str:
    """Return the text of the one block for that file."""
    [text] = [block.text for block in blocks() if block.name == name]
    return text


def script(folder: Path, *, port: int) -> str:
    """Return the guide as one script: each file is written into `folder` where it stands, each command is run."""
    parts = [f'set -euo pipefail\nmktemp() {{ mkdir "{folder}" && echo "{folder}"; }}']
    for block in blocks():
        if block.language == "bash":
            parts.append(block.text)
        else:
            file = f"'{folder}/{block.name}'"
            parts.append(f'mkdir -p "$(dirname {file})"')
            parts.append(f"cat >{file} <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK")
    return "\n".join(parts).replace(PORT, str(port))
