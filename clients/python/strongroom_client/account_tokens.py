"""Where the account token comes from: the JWT that the product signed for its user, with which every call is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from strongroom_client.errors import AccountTokenMissing

_MAX_TOKEN_BYTES = 8 * 1024


class AccountTokenSource(Protocol):
    """Gives the account token to send now. Asked before every call, since tokens live an hour at most."""

    def __call__(self) -> str:
        """Return the token.

        Raises:
            AccountTokenMissing: there is none.
        """


@dataclass(frozen=True, slots=True)
class AccountTokenFile:
    """A file that somebody else keeps fresh; read anew for every call."""

    path: Path

    def __call__(self) -> str:
        """Return the file's token.

        Raises:
            AccountTokenMissing: the file cannot be read, or holds no token.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(_MAX_TOKEN_BYTES + 1)
        except OSError as error:
            raise AccountTokenMissing(f"the account token file cannot be read: {error.strerror}") from error
        return _checked(content.decode("ascii", errors="replace"))


class AccountTokenFrom:
    """A callable of the application. Hides what it gives, also in repr."""

    def __init__(self, give: Callable[[], str]) -> None:
        self._give = give

    def __call__(self) -> str:
        """Return the callable's token.

        Raises:
            AccountTokenMissing: it gave none.
        """
        return _checked(self._give())

    def __repr__(self) -> str:
        return "AccountTokenFrom(...)"


def _checked(token: str) -> str:
    """Refuse what is no token before it reaches a header; the text never repeats it."""
    stripped = token.strip()
    if not 0 < len(stripped) <= _MAX_TOKEN_BYTES or not stripped.isascii() or not stripped.isprintable():
        raise AccountTokenMissing("there is no account token where one should be")
    return stripped
