"""The folder where checkpoints are kept until they are somewhere else too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.checkpoints import BrokenCheckpoint, checkpoint_end, checkpoint_start, leaf_line
from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.checkpoint_files import CheckpointFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom_service.domain.checkpoints import Leaf, SignedCheckpoint

_NAME: Final = re.compile(r"checkpoint-([0-9]{8,19})\.txt", re.ASCII)
_DRAFT_NAME: Final = "draft"
_LOCK_NAME: Final = "lock"
_FOLDER_MODE: Final = 0o700


class CheckpointFolder:
    """One file a checkpoint, named by its serial; and at most one draft."""

    def __init__(self, path: Path) -> None:
        """Take the folder, which need not be there yet."""
        self.path = path

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to make checkpoints here; makes the folder. The kernel frees it when the process ends.

        Raises:
            Misconfigured: another process holds it, or the folder cannot be written.
        """
        path = self.path / _LOCK_NAME
        try:
            self.path.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"cannot open {path}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Misconfigured(f"{path}: another checkpoint is being made") from error
            yield
        finally:
            os.close(descriptor)

    def files(self) -> list[Path]:
        """Return the checkpoints' files, oldest first.

        Raises:
            Misconfigured: the folder cannot be read.
        """
        try:
            if not self.path.exists():
                return []
            found = [(int(match[1]), each) for each in self.path.iterdir() if (match := _NAME.fullmatch(each.name))]
        except OSError as error:
            raise Misconfigured(f"cannot read the folder for checkpoints {self.path}: {error.strerror}") from error
        return [path for _, path in sorted(found)]

    def newest_at(self) -> float:
        """Return when the newest checkpoint was written (unix seconds); 0 if there is none, or it cannot be seen."""
        try:
            return max((path.stat().st_mtime for path in self.files()), default=0.0)
        except (OSError, Misconfigured):
            return 0.0

    def recover(self, *, digest: bytes) -> Path | None:
        """Deal with what a run that was cut short has left: publish the draft if it is the checkpoint of `digest`.

        Only while `alone`, as all that follows.

        Raises:
            Misconfigured, StoreUnavailable: the draft can be neither published nor removed.
        """
        draft = self.path / _DRAFT_NAME
        if not draft.exists():
            return None
        try:
            with CheckpointFile(draft) as file:
                signed = file.signed
        except BrokenCheckpoint:
            signed = None
        if signed is not None and signed.head.digest == digest:
            return self.publish(signed.head.serial)
        draft.unlink()
        return None

    def begin(self) -> Draft:
        """Begin a checkpoint; `recover` comes before.

        Raises:
            Misconfigured: the file cannot be made.
        """
        try:
            return Draft(self.path / _DRAFT_NAME)
        except OSError as error:
            raise Misconfigured(f"cannot begin a checkpoint in {self.path}: {error.strerror}") from error

    def publish(self, serial: int) -> Path:
        """Give the finished draft its name, durably.

        Raises:
            StoreUnavailable: that failed; the next `recover` tries again.
        """
        path = self.path / f"checkpoint-{serial:08}.txt"
        try:
            os.link(self.path / _DRAFT_NAME, path)  # unlike a rename, never in place of another
            (self.path / _DRAFT_NAME).unlink()
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreUnavailable(f"cannot name the checkpoint {path}: {error.strerror}") from error
        return path


class Draft:
    """A checkpoint that is being written; see `make_checkpoint.CheckpointDraft`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+", encoding="ascii")
        self._file.write(checkpoint_start())
        self._leaves_end: int | None = None

    def add(self, leaf: Leaf) -> None:
        """Write the next leaf."""
        self._file.write(f"{leaf_line(leaf)}\n")

    def finish(self, signed: SignedCheckpoint) -> None:
        """Write the head, in place of one that was written before, and make all of it durable."""
        if self._leaves_end is None:
            self._leaves_end = self._file.tell()
        self._file.seek(self._leaves_end)
        self._file.truncate()
        self._file.write(checkpoint_end(signed))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
