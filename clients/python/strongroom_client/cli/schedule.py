"""What a backup that nobody watches needs: a lock, names by time, and the removal of old archives."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from strongroom_client.archive.places import Shelf
from strongroom_client.clock import Millis
from strongroom_client.errors import DeviceError

SUFFIX = ".tar.zst.age"
_TIME = "%Y%m%dT%H%M%SZ"
_TIME_PATTERN = r"\d{8}T\d{6}Z"
_PRIVATE_FILE = 0o600


class BackupUnderWay(DeviceError):
    """Another run is writing to the same place."""


@contextmanager
def one_at_a_time(state: Path, *, where: str) -> Iterator[None]:
    """Keep other backups to `where` of this device out. The lock ends with the process, however that ends.

    Raises:
        BackupUnderWay: another one is under way.
        DeviceError: the lock cannot be made.
    """
    name = hashlib.sha256(os.fsencode(where)).hexdigest()[:16]
    path = state / f"backup-{name}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    except OSError as error:
        raise DeviceError(f"the lock {path} cannot be made: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupUnderWay("another backup to the same place is under way on this device") from error
        yield
    finally:
        os.close(lock)


def archive_name(folder: Path, *, now: Millis) -> str:
    """Return the name of an archive of `folder` that is made now: its own name, and the time in UTC."""
    return f"{_stem(folder)}-{datetime.fromtimestamp(now / 1_000, tz=UTC).strftime(_TIME)}{SUFFIX}"


def remove_old(shelf: Shelf, *, folder: Path, made: str, keep: int) -> tuple[str, ...]:
    """Remove all archives of `folder` but the newest `keep`, and never the one just `made`; return their names.

    What is named in any other way is not touched.

    Raises:
        ArchiveError: the place cannot be listed, or one cannot be removed.
    """
    pattern = re.compile(re.escape(_stem(folder)) + f"-{_TIME_PATTERN}" + re.escape(SUFFIX), re.ASCII)
    others = sorted(name for name in shelf.names() if pattern.fullmatch(name) and name != made)
    old = tuple(others[: max(0, len(others) - (keep - 1))])
    for name in old:
        shelf.remove(name)
    return old


def _stem(folder: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", folder.absolute().name) or "root"
