"""The token's PIN, read from a file that only its owner can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from strongroom_service.config.secret_file import read_secret


@dataclass(frozen=True)
class Pin:
    """A user PIN. Hides itself; `reveal` is for the login call alone."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the PIN itself."""
        return self._value


def read_pin(path: Path) -> Pin:
    """Read the PIN. Raises Misconfigured, as `read_secret`."""
    return Pin(read_secret(path, name="PIN file", reader="the keeper's user"))
