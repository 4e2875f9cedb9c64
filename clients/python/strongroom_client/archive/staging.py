"""Nothing stands under its final name before it is complete.

Work goes to a private temporary neighbour of the target (same folder, hence same file system) that is renamed at the
end. A failure removes it; a killed process may leave it, recognisable by `STAGING_PREFIX`, readable by its owner only.
"""

from __future__ import annotations

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
