"""The library of `slow_flush.c`, built with gcc: whoever preloads it flushes to disk more slowly."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("slow_flush.c")


class SlowFlush:
    """One built library; `environment` makes a process, of any user, use it."""

    def __init__(self, folder: Path, *, microseconds: int) -> None:
        """Compile it into `folder`, which others are let into: a database under another user reads it too."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        library = folder / "slow_flush.so"
        flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden")
        subprocess.run(["gcc", *flags, "-o", str(library), str(SOURCE), "-ldl"], check=True, timeout=60)
        self._used = folder / "used"
        self._used.touch()
        self._used.chmod(0o666)
        self.environment = {
            "LD_PRELOAD": str(library),
            "STRONGROOM_SLOW_FLUSH_US": str(microseconds),
            "STRONGROOM_SLOW_FLUSH_USED": str(self._used),
        }

    def users(self) -> frozenset[int]:
        """The ids of all processes that have flushed with it."""
        return frozenset(int(line) for line in self._used.read_text(encoding="ascii").split())
