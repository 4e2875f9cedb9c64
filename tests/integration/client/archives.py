"""What the archive tests share: pictures of folder trees, and archives made by hand."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # ships no types
import zstandard

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import ArchiveSummary, write_archive

IDENTITY = generate_identity()
RECIPIENT = recipient_of(IDENTITY)
Member = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Seen:
    kind: int
    mode: int | None
    mtime_ns: int
    content: bytes
    same_file_as: bytes


def picture(root: Path) -> dict[bytes, Seen]:
    """Return all that an archive keeps of the tree at `root`, with names as the file system has them."""
    seen: dict[bytes, Seen] = {}
    first_names: dict[tuple[int, int], bytes] = {}
    base = os.fsencode(root)
    paths = [base]
    for folder, folders, files in os.walk(base):
        paths += [os.path.join(folder, name) for name in folders + files]  # noqa: PTH118  a Path holds no bytes
    for path in sorted(paths):
        status = os.lstat(path)
        name = os.path.relpath(path, base)
        first = first_names.setdefault((status.st_dev, status.st_ino), name)
        seen[name] = Seen(
            kind=stat.S_IFMT(status.st_mode),
            mode=None if stat.S_ISLNK(status.st_mode) else status.st_mode & 0o777,
            mtime_ns=status.st_mtime_ns,
            content=_content(path, status.st_mode),
            same_file_as=first,
        )
    return seen


def _content(path: bytes, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.readlink(path)  # noqa: PTH115  as above
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:  # noqa: PTH123  as above
            return file.read()
    return b""


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, len(content), mode
    return info, content


def tar_of(members: Iterable[Member]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def sealed(content: bytes, *, compressed: bool = True) -> bytes:
    """Return an age file of `content`, made with the libraries and not with the code under test."""
    plaintext = zstandard.ZstdCompressor().compress(content) if compressed else content
    return bytes(pyrage.encrypt(plaintext, [pyrage.x25519.Recipient.from_str(RECIPIENT)]))


def opened(archive: Path) -> bytes:
    """Return the tar stream of `archive`, opened with the libraries and not with the code under test."""
    plaintext = pyrage.decrypt(archive.read_bytes(), [pyrage.x25519.Identity.from_str(IDENTITY.reveal())])
    return zstandard.ZstdDecompressor().decompressobj().decompress(plaintext)


def write(source: Path, target: Path) -> ArchiveSummary:
    return write_archive(source=source, target=target, recipients=[RECIPIENT], progress=None)


def extract(archive: Path, target: Path) -> None:
    extract_archive(archive=archive, target=target, identities=[IDENTITY], progress=None)


def extract_naively(tar: bytes, target: Path) -> None:
    """Unpack as tarfile does when told to trust the archive: the control that an attack is one."""
    target.mkdir()
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        archive.extraction_filter = lambda info, _: info
        archive.extractall(target)  # noqa: S202  that is the point
