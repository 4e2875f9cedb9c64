"""The wall clock of processes that are started with it, by libfaketime: a test sets it, the running time stays true."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_LIBRARIES: Final = "*/faketime/libfaketimeMT.so.1"
_DAY_SECONDS: Final = 86_400
_NOON_SECONDS: Final = 43_200


class FakeWallClock:
    """Stands at noon of today (UTC) at first, so that no test meets midnight."""

    def __init__(self, folder: Path) -> None:
        libraries = list(Path("/usr/lib").glob(_LIBRARIES))
        if not libraries:
            raise FileNotFoundError(f"/usr/lib/{_LIBRARIES}: install the Debian package faketime")
        self._library = libraries[0]
        self._file = folder / "wall-clock"
        self._offset = 0
        self.set_forward(seconds=_NOON_SECONDS - int(time.time()) % _DAY_SECONDS)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process must be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def now_seconds(self) -> int:
        """What the processes read."""
        return int(time.time()) + self._offset

    def set_forward(self, *, seconds: int) -> None:
        """Set it forward, or back if negative: at once, in all processes."""
        self._offset += seconds
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(f"{self._offset:+d}\n", encoding="ascii")
        fresh.replace(self._file)
