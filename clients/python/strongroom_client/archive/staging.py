"""Nothing stands under its final name before it is complete.

Work goes to a private temporary neighbour of the target (same folder, hence same file system) that is renamed at the
end. A failure removes it; a killed process may leave it, recognisable by `STAGING_PREFIX`, readable by its owner only.
A file that is being written is locked, so that what was left can be told from it and removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from strongroom_client.archive.errors import TargetUnfit, shown

STAGING_PREFIX = ".strongroom-"
STAGING_SUFFIX = ".part"
_LEFT_SECONDS = 3600


@contextmanager
def staged_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a file open for writing that becomes `target` when the block ends well, durably, mode 0600.

    An existing file of that name is replaced at that moment, and is whole until then.

    Raises:
        TargetUnfit: `target` is something else than a file, or cannot be written.
    """
    final = Path(os.path.abspath(target))  # noqa: PTH100  not resolved: the name given is the name replaced
    if final.is_symlink() or (final.exists() and not final.is_file()):
        message = f"{shown(str(target))} is not a regular file"
        raise TargetUnfit(message)
    with _writing(target):
        descriptor, name = tempfile.mkstemp(prefix=STAGING_PREFIX, suffix=STAGING_SUFFIX, dir=final.parent)
    try:
        with _writing(target), os.fdopen(descriptor, "wb") as staged:
            with suppress(OSError):  # some file systems have no locks: nothing is taken for a leftover there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield staged
            staged.flush()
            os.fsync(staged.fileno())
        with _writing(target):
            Path(name).replace(final)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    with _writing(target):
        _sync_directory(final.parent)


def remove_leftovers(folder: Path, *, now_seconds: float) -> int:
    """Remove what killed processes have left in `folder` in place of files; return how many.

    Only files of an hour and more that nobody has locked: a fresh one may belong to a run that is just locking it. What
    cannot be removed stays.
    """
    removed = 0
    for path in folder.glob(f"{STAGING_PREFIX}*{STAGING_SUFFIX}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and now_seconds - status.st_mtime >= _LEFT_SECONDS:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
            finally:
                os.close(descriptor)
    return removed


@contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty folder (mode 0700) that becomes `target` when the block ends well.

    Raises:
        TargetUnfit: `target` exists and is not an empty folder, or cannot be written.
    """
    final = Path(os.path.abspath(target))  # noqa: PTH100  not resolved: a symbolic link is refused, not followed
    with _writing(target):
        _require_free(final)
        staged = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, suffix=STAGING_SUFFIX, dir=final.parent))
    try:
        yield staged
        with _writing(target):
            staged.rename(final)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def _require_free(final: Path) -> None:
    try:
        status = final.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or any(final.iterdir()):
        message = f"{shown(str(final))} exists and is not an empty folder"
        raise TargetUnfit(message)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{shown(str(target))} cannot be written: {error.strerror or error}"
        raise TargetUnfit(message) from error
