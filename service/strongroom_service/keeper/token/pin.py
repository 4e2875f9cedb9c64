"""The token's PIN, read from a file that only its owner can read.

Never from argv or the environment, which /proc shows to others; systemd's LoadCredential or a tmpfs gives the file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from strongroom_service.domain.errors import Misconfigured

_MAX_PIN_BYTES: Final = 256
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0
# NOFOLLOW: a link could be turned to another file after the check; NONBLOCK: a FIFO must not hang the start.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Pin:
    """A user PIN. Hides itself; `reveal` is for the login call alone."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the PIN itself."""
        return self._value


def read_pin(path: Path) -> Pin:
    """Read the PIN: UTF-8, 1 to 256 bytes, one trailing newline not counted.

    Raises:
        Misconfigured: the file cannot be read, is a link or no regular file, belongs to neither us nor root, can be
            read by group or others, or holds no fit PIN. The message names the file and the mend, never the content.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            # Checked on the open descriptor: the name could be pointed elsewhere between a check and an open.
            _check_owner_and_mode(os.fstat(descriptor), path)
            content = os.read(descriptor, _MAX_PIN_BYTES + 2)  # one for the newline, one to tell a longer file
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = os.strerror(error.errno or 0)
        raise Misconfigured(f"PIN file {path}: {problem}; it must be a regular file, not a link") from None
    return _parse(content, path)


def _check_owner_and_mode(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        problem = "is not a regular file"
    elif status.st_uid not in {os.geteuid(), _ROOT}:
        problem = "belongs to another user; chown it to the keeper's user or root"
    elif status.st_mode & _OTHERS:
        problem = "can be used by group or others; chmod it to 0400"
    else:
        return
    raise Misconfigured(f"PIN file {path} {problem}")


def _parse(content: bytes, path: Path) -> Pin:
    content = content.removesuffix(b"\n")
    if not 0 < len(content) <= _MAX_PIN_BYTES:
        raise Misconfigured(f"PIN file {path} must hold 1 to {_MAX_PIN_BYTES} bytes")
    try:
        return Pin(content.decode("utf-8"))
    except UnicodeDecodeError:  # holds the bytes it could not decode, so it must not travel on as a cause
        raise Misconfigured(f"PIN file {path} is not UTF-8") from None
