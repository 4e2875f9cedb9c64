"""Checkpoints as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from strongroom_service.domain.checkpoints import BrokenCheckpoint, CheckpointReader, Leaf, SignedCheckpoint
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


class CheckpointFile:
    """A checkpoint that was read whole once, so that its leaves are those of its head, and is read again on demand."""

    def __init__(self, path: Path) -> None:
        """Open and read it.

        Raises:
            BrokenCheckpoint: it is none, or its leaves are not those of its head.
            Misconfigured: it cannot be read.
        """
        self.path = path
        try:
            self._file = path.open(encoding="ascii", errors="replace")
        except OSError as error:
            raise Misconfigured(f"cannot read the checkpoint {path}: {error.strerror}") from error
        try:
            self.signed = self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Keep it open for `leaves`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._file.close()

    def leaves(self) -> Iterator[Leaf]:
        """Yield the leaves, in order of record ids; one reading at a time. Raises as the constructor."""
        self._file.seek(0)
        reader = CheckpointReader(self._file)
        yield from reader
        if reader.signed() != self.signed:
            raise BrokenCheckpoint(f"{self.path} was changed while it was read")

    def _read(self) -> SignedCheckpoint:
        reader = CheckpointReader(self._file)
        for _ in reader:
            pass
        return reader.signed()
