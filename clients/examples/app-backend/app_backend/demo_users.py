"""INSECURE sign-in by name and password from a file: FOR THE DEMONSTRATION ONLY. A product has a sign-in of its own.

It does not slow down guessing, knows no second factor and no lost password. What it shows is the one thing that the
vault depends on: an account id that is drawn once, never given to somebody else, and tells nothing about its user.

    [alice]
    account = "5c0f..."                  random; the `sub` of account tokens
    password_scrypt = "salt:key"         hex; of `python -m app_backend add-user`
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_SALT_BYTES: Final = 16
_MAX_PASSWORD_BYTES: Final = 1_024
_NOBODY: Final = f"{'00' * _SALT_BYTES}:{'00' * 32}"


class UnfitUser(ValueError):
    """A user cannot be added; says why."""


@dataclass(frozen=True, slots=True)
class DemoUsers:
    """Accounts and password hashes by name."""

    by_name: dict[str, dict[str, str]] = field(repr=False)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read users.toml."""
        return cls(tomllib.loads(file.read_text(encoding="utf-8")))

    def account_of(self, name: str, password: str) -> str | None:
        """Return the account of who knows the password. A name that nobody has takes as long as a wrong password."""
        user = self.by_name.get(name, {"account": "", "password_scrypt": _NOBODY})
        salt, _, expected = user["password_scrypt"].partition(":")
        given = _scrypt(password, salt=bytes.fromhex(salt))
        return (user["account"] or None) if hmac.compare_digest(given, expected) else None


def user_table(name: str, password: str) -> str:
    """Return the table of a new user, to be appended to users.toml.

    Raises:
        UnfitUser: the name or the password will not do.
    """
    if not _NAME.fullmatch(name):
        raise UnfitUser("a name has 1 to 64 of a-z, 0-9 and -")
    if not 1 <= len(password.encode()) <= _MAX_PASSWORD_BYTES:
        raise UnfitUser(f"a password has 1 to {_MAX_PASSWORD_BYTES} bytes")
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _scrypt(password, salt=salt)
    return f'[{name}]\naccount = "{secrets.token_hex(16)}"\npassword_scrypt = "{salt.hex()}:{key}"\n'


def _scrypt(password: str, *, salt: bytes) -> str:
    return hashlib.scrypt(password.encode()[:_MAX_PASSWORD_BYTES], salt=salt, n=2**14, r=8, p=1, dklen=32).hex()
