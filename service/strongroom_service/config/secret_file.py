"""Secrets in files that only their owner can read.

Never from argv or the environment, which /proc shows to others; systemd's LoadCredential or a tmpfs gives the file.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

MAX_SECRET_BYTES: Final = 256
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0
# NOFOLLOW: a link could be turned to another file after the check; NONBLOCK: a FIFO must not hang the start.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_secret(path: Path, *, name: str, reader: str, limit: int = MAX_SECRET_BYTES) -> str:
    """Read a secret: UTF-8, 1 to `limit` bytes, one trailing newline not counted.

    `name` is what the file is called, `reader` whose it should be.

    Raises:
        Misconfigured: the file cannot be read, is a link or no regular file, belongs to neither us nor root, can be
            read by group or others, or holds no fit secret. The message names the file and the mend, never the content.
    """
    what = f"{name} {path}"
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            # Checked on the open descriptor: the name could be pointed elsewhere between a check and an open.
            _check_owner_and_mode(os.fstat(descriptor), what=what, reader=reader)
            content = os.read(descriptor, limit + 2)  # one for the newline, one to tell a longer file
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = os.strerror(error.errno or 0)
        raise Misconfigured(f"{what}: {problem}; it must be a regular file, not a link") from None
    return _parse(content, what=what, limit=limit)


def _check_owner_and_mode(status: os.stat_result, *, what: str, reader: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        problem = "is not a regular file"
    elif status.st_uid not in {os.geteuid(), _ROOT}:
        problem = f"belongs to another user; chown it to {reader} or root"
    elif status.st_mode & _OTHERS:
        problem = "can be used by group or others; chmod it to 0400"
    else:
        return
    raise Misconfigured(f"{what} {problem}")


def _parse(content: bytes, *, what: str, limit: int) -> str:
    content = content.removesuffix(b"\n")
    if not 0 < len(content) <= limit:
        raise Misconfigured(f"{what} must hold 1 to {limit} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # holds the bytes it could not decode, so it must not travel on as a cause
        raise Misconfigured(f"{what} is not UTF-8") from None
