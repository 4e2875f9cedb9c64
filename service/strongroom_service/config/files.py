"""Where configuration files are read from: the disk, or what somebody else read there before."""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

MAX_FILE_BYTES = 65_536


class ConfigFiles(Protocol):
    """Files by their paths; both methods raise OSError, as the disk does."""

    def read(self, path: Path) -> bytes:
        """Return a file's content; of one larger than 64 KiB a byte more than that."""

    def names(self, folder: Path) -> Sequence[str]:
        """Return the names in a folder, sorted."""


class DiskFiles:
    """Files as they are now."""

    def read(self, path: Path) -> bytes:
        """See the port."""
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)

    def names(self, folder: Path) -> Sequence[str]:
        """See the port."""
        return sorted(path.name for path in folder.iterdir())


DISK = DiskFiles()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files as they were. Relative paths start where the process runs, as on the disk."""

    contents: Mapping[Path, bytes]
    folders: Mapping[Path, Sequence[str]]

    def read(self, path: Path) -> bytes:
        """See the port."""
        if path.absolute() not in self.contents:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.contents[path.absolute()]

    def names(self, folder: Path) -> Sequence[str]:
        """See the port."""
        if folder.absolute() not in self.folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.folders[folder.absolute()]

    def to_bytes(self) -> bytes:
        """Return it in a form for another process of this release."""
        files = {str(path): base64.b64encode(content).decode() for path, content in self.contents.items()}
        folders = {str(folder): list(names) for folder, names in self.folders.items()}
        return json.dumps({"files": files, "folders": folders}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return what `to_bytes` wrote.

        Raises:
            ValueError: it did not write this.
        """
        try:
            document = json.loads(content)
            return cls(
                {Path(path): base64.b64decode(text) for path, text in document["files"].items()},
                {Path(folder): tuple(names) for folder, names in document["folders"].items()},
            )
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            message = "no snapshot"
            raise ValueError(message) from error


class RecordedFiles:
    """Passes on what others hold, and remembers it."""

    def __init__(self, files: ConfigFiles) -> None:
        self._files = files
        self._contents: dict[Path, bytes] = {}
        self._folders: dict[Path, Sequence[str]] = {}

    def read(self, path: Path) -> bytes:
        """See the port."""
        content = self._contents[path.absolute()] = self._files.read(path)
        return content

    def names(self, folder: Path) -> Sequence[str]:
        """See the port."""
        names = self._folders[folder.absolute()] = self._files.names(folder)
        return names

    def snapshot(self) -> Snapshot:
        """Return all that was read so far."""
        return Snapshot(dict(self._contents), dict(self._folders))
