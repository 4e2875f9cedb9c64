"""Archives in storage elsewhere: S3 and what speaks like it, and whatever else `fsspec` reaches.

Part of an upload never looks complete. Object stores show an object when its upload is committed, and not before: so it
is committed at the end, or discarded. Everything else gets a temporary name, and its own when all is there.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from strongroom_client.archive.errors import ArchiveError, TargetUnfit, shown
from strongroom_client.archive.places import Opened, Place, Staged
from strongroom_client.archive.staging import STAGING_PREFIX, STAGING_SUFFIX

_COMMITTING: Final = frozenset({"s3", "s3a", "gs", "gcs"})
PART_BYTES: Final = 64 << 20  # S3 takes 10 000 parts of one upload, so that an archive may have 625 GiB
_READ_BYTES: Final = 8 << 20
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.+)", re.ASCII)


class _File(Protocol):
    def write(self, chunk: bytes, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...


def is_url(where: str) -> bool:
    """Tell whether `where` names storage elsewhere, and not a file."""
    return "://" in where


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """One object; `url` as the user gave it."""

    url: str
    protocol: str
    path: str
    system: Any = field(repr=False)  # its options may hold what the user's own files say
    part_bytes: int = PART_BYTES

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """See the port."""
        if self.protocol in _COMMITTING:
            with self._committed() as staged:
                yield staged
        else:
            with self._renamed() as staged:
                yield staged
        with _writing(self.url):
            self.system.invalidate_cache()
            size = int(self.system.size(self.path))
        if size != staged.bytes_written:
            raise TargetUnfit(f"{shown(self.url)} has {size} bytes of the {staged.bytes_written} that were sent")

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """See the port."""
        with _reading(self.url):
            size = int(self.system.size(self.path))
            file: _File = self.system.open(self.path, "rb", block_size=_READ_BYTES)
        try:
            yield Opened(_Reading(file, self.url), size)
        finally:
            file.close()

    def status(self) -> None:
        """See the port."""

    @contextmanager
    def _committed(self) -> Iterator[Staged]:
        with _writing(self.url):
            file: _File = self.system.open(self.path, "wb", autocommit=False, block_size=self.part_bytes)
        try:
            yield Staged(_Writing(file, self.url), None)
            with _writing(self.url):
                file.close()
                file.commit()
        except BaseException:
            with suppress(Exception):
                file.discard()
            raise

    @contextmanager
    def _renamed(self) -> Iterator[Staged]:
        folder, name = posixpath.split(self.path)
        temporary = posixpath.join(folder, f"{STAGING_PREFIX}{secrets.token_hex(8)}{STAGING_SUFFIX}")
        with _writing(self.url):
            file: _File = self.system.open(temporary, "wb")
        try:
            yield Staged(_Writing(file, self.url), None)
            with _writing(self.url):
                file.close()
                self.system.mv(temporary, posixpath.join(folder, name))
        except BaseException:
            with suppress(Exception):
                file.close()
            with suppress(Exception):
                self.system.rm_file(temporary)
            raise


@dataclass(frozen=True, slots=True)
class RemoteShelf:
    """Objects under one prefix."""

    folder: RemotePlace

    def place(self, name: str) -> Place:
        """See the port."""
        return self._at(name)

    def names(self) -> tuple[str, ...]:
        """See the port."""
        with _reading(self.folder.url):
            self.folder.system.invalidate_cache()
            try:
                listed = self.folder.system.ls(self.folder.path, detail=True)
            except FileNotFoundError:  # nothing is there yet: prefixes are no folders
                return ()
        return tuple(posixpath.basename(one["name"]) for one in listed if one["type"] == "file")

    def tidy(self) -> None:
        """Do nothing: who writes elsewhere cannot be seen from here."""

    def remove(self, name: str) -> None:
        """See the port."""
        with _writing(self.folder.url):
            self.folder.system.rm_file(self._at(name).path)

    def _at(self, name: str) -> RemotePlace:
        folder = self.folder
        return replace(folder, url=f"{folder.url.rstrip('/')}/{name}", path=f"{folder.path}/{name}")


def remote_place(url: str, *, options: Mapping[str, Mapping[str, Any]], part_bytes: int = PART_BYTES) -> RemotePlace:
    """Return the place that a URL names. `options` are those of `fsspec` for each protocol.

    What is uploaded goes in parts of `part_bytes`, each of which is held in memory.

    Raises:
        ArchiveError: it is no such URL, holds a password, or what reaches it is not installed.
    """
    parted = _URL.fullmatch(url)
    if parted is None or "::" in url:
        raise ArchiveError(f"{shown(url)} is not protocol://place")
    if "@" in urlsplit(url).netloc:
        raise ArchiveError("a URL must hold no user or password: arguments are seen by others")
    protocol = parted[1]
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415  an extra, needed only here

        system, path = url_to_fs(url, **options.get(protocol, {}))
    except ImportError as error:
        raise ArchiveError(f"what reaches {protocol}:// is not installed: pip install 'strongroom[storage]'") from error
    except Exception as error:  # every file system raises its own
        raise ArchiveError(f"{shown(url)} cannot be reached: {type(error).__name__}") from error
    return RemotePlace(url, protocol, str(path).rstrip("/"), system, part_bytes)


@dataclass(frozen=True, slots=True)
class _Writing:
    file: _File
    url: str

    def write(self, chunk: bytes) -> int:
        with _writing(self.url):
            self.file.write(chunk)
        return len(chunk)


@dataclass(frozen=True, slots=True)
class _Reading:
    file: _File
    url: str

    def read(self, size: int) -> bytes:
        with _reading(self.url):
            return self.file.read(size)


@contextmanager
def _writing(url: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # their texts may repeat addresses with signatures
        raise TargetUnfit(f"{shown(url)} cannot be written: {_kind(error)}") from error


@contextmanager
def _reading(url: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ArchiveError(f"{shown(url)} cannot be read: {_kind(error)}") from error


def _kind(error: Exception) -> str:
    """Return what is told of a file system's error: never its own text."""
    known = {FileNotFoundError: "there is no such thing", PermissionError: "access is denied"}
    return next((said for kind, said in known.items() if isinstance(error, kind)), type(error).__name__)
