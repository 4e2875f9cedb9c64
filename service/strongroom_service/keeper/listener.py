"""The keeper's Unix socket: bound with its final mode, never taken from a keeper that still listens."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


def listen(path: Path, *, mode: int) -> socket.socket:
    """Return a non-blocking socket that listens at `path`, which gets the permission bits `mode`.

    What a dead keeper left there is removed. Not for processes with threads: the umask is changed for a moment.

    Raises:
        Misconfigured: another keeper listens there, something else is there, or the folder cannot be written.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        umask = os.umask(0o777 & ~mode)  # connecting needs write permission: at no time may it be wider than wanted
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
        listener.listen()
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise Misconfigured(f"cannot listen at {path}: {error.strerror or error}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise Misconfigured(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.settimeout(0)  # a stopped keeper with a full queue would hold us up
        try:
            visitor.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass
    raise Misconfigured(f"another keeper listens at {path}")
