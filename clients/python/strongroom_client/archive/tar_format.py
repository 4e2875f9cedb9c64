"""Tar entries as bytes: written as POSIX pax (IEEE Std 1003.1, "pax Interchange Format"), read strictly.

Read are ustar, pax with sparse files of format 1.0, and GNU long names: what this client, GNU tar and bsdtar write for
files, folders and links. The reader does not use tarfile's own walk: it trusts sizes in headers, keeps whole pax
headers in memory whatever their size, and takes a missing end for an end. Names that are not UTF-8 keep their bytes
(surrogateescape).
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Final

from strongroom_client.age_file import ByteSource
from strongroom_client.archive.errors import ArchiveDamaged, RefusedEntry
from strongroom_client.archive.sparse import (
    PREFIX,
    BadSparseMap,
    Extents,
    check_map,
    encode_map,
    pax_headers,
    read_map,
    stored_bytes,
    stored_name,
)

BLOCK_BYTES: Final = tarfile.BLOCKSIZE
END_OF_ARCHIVE: Final = bytes(2 * BLOCK_BYTES)
CHUNK_BYTES: Final = 1 << 18
_PERMISSIONS = 0o777
_NANOSECONDS = 10**9
_MAX_EXTRA_BYTES = 1 << 20  # of one pax header or long name; a path has 4096 bytes
_MAX_SIZE = 1 << 62
_MAX_SECONDS = 1 << 40
_PAX_TIME = re.compile(r"(-?)(\d{1,13})(?:\.(\d{0,9})\d{0,23})?", re.ASCII)
_PAX_SIZE = re.compile(r"\d{1,19}", re.ASCII)
_PAX_LENGTH = re.compile(rb"(\d{1,7}) ")
_ENCODING = "utf-8"
_ERRORS = "surrogateescape"


@unique
class Kind(Enum):
    """What an entry is; the value is its type flag."""

    FILE = tarfile.REGTYPE
    DIRECTORY = tarfile.DIRTYPE
    SYMLINK = tarfile.SYMTYPE
    HARD_LINK = tarfile.LNKTYPE


_KINDS = {kind.value: kind for kind in Kind} | {tarfile.AREGTYPE: Kind.FILE, tarfile.CONTTYPE: Kind.FILE}
_GNU_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry.

    Attributes:
        name: as stored; when read, nothing about it has been checked.
        size: bytes of content; 0 unless a file.
        extents: where a file with holes has its data, which is all that is stored; None for any other.
        mode: permission bits only; set-user-id, set-group-id and sticky bits are never kept.
        mtime_ns: nanoseconds since 1970, may be negative.
        link: target of a symbolic link, or name of the entry that a hard link joins; else empty.
    """

    name: str
    kind: Kind
    mode: int
    mtime_ns: int
    size: int = 0
    link: str = ""
    extents: Extents | None = None

    @property
    def stored(self) -> int:
        """Bytes of content that are stored: `size`, or less for a file with holes."""
        return self.size if self.extents is None else stored_bytes(self.extents)


def encode_entry(entry: Entry) -> bytes:
    """Return the header blocks of `entry`, and of a file with holes the map behind them. Owners are not kept."""
    info = tarfile.TarInfo(entry.name)
    info.type = entry.kind.value
    info.size = entry.size
    sparse_map, headers = b"", dict[str, str]()
    if entry.extents is not None:
        sparse_map = encode_map(entry.extents, size=entry.size, block_bytes=BLOCK_BYTES)
        info.name, info.size = stored_name(entry.name), len(sparse_map) + entry.stored
        headers = pax_headers(entry.name, size=entry.size)
    info.mode = entry.mode & _PERMISSIONS
    info.linkname = entry.link
    seconds, nanoseconds = divmod(entry.mtime_ns, _NANOSECONDS)
    info.mtime = max(0, seconds)
    if nanoseconds or info.mtime != seconds:
        headers["mtime"] = _decimal_time(entry.mtime_ns)
    info.pax_headers = headers
    return info.tobuf(format=tarfile.PAX_FORMAT, encoding=_ENCODING, errors=_ERRORS) + sparse_map


def padding(size: int) -> bytes:
    """Return the zeros that follow `size` bytes of content."""
    return bytes(-size % BLOCK_BYTES)


class TarReader:
    """Entries and contents from a stream, front to back, in constant memory."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._unread = 0
        self._padding = 0

    def entries(self) -> Iterator[Entry]:
        """Yield each entry; what is unread of its content is passed over. Ends after the end marker and all padding.

        Raises:
            ArchiveDamaged: not a tar stream, without its end, or with more behind it.
            RefusedEntry: an entry of a kind or with a value that is not taken.
        """
        while (header := self._next_header()) is not None:
            extra: dict[str, str] = {}
            while header.type == tarfile.XHDTYPE or header.type in _GNU_LONG:
                extra |= self._extra(header)
                header = self._next_header()
                if header is None:
                    raise ArchiveDamaged("a tar header belongs to no entry")
            entry, stored = _entry(header, extra)
            self._unread, self._padding = stored, -stored % BLOCK_BYTES
            yield self._with_extents(entry) if f"{PREFIX}major" in extra else entry
        while rest := self._source.read(CHUNK_BYTES):
            if rest.count(0) != len(rest):
                raise ArchiveDamaged("something follows the end of the tar stream")

    def content(self) -> Iterator[bytes]:
        """Yield the content of the entry that `entries` gave last.

        Raises:
            ArchiveDamaged: it ends early.
        """
        while self._unread:
            chunk = self._source.read(min(self._unread, CHUNK_BYTES))
            if not chunk:
                raise ArchiveDamaged("the archive ends within a file")
            self._unread -= len(chunk)
            yield chunk

    def _with_extents(self, entry: Entry) -> Entry:
        """Read the map of a file with holes; what is unread is then its data."""
        try:
            extents = read_map(self._map_block)
            check_map(extents, size=entry.size, stored=self._unread)
        except BadSparseMap as error:
            raise RefusedEntry(entry=entry.name, rule=f"it states an impossible map of its holes: {error}") from None
        return replace(entry, extents=extents)

    def _map_block(self) -> bytes:
        if self._unread < BLOCK_BYTES:
            raise BadSparseMap("it does not end")
        self._unread -= BLOCK_BYTES
        return self._exactly(BLOCK_BYTES)

    def _next_header(self) -> tarfile.TarInfo | None:
        for _ in self.content():
            pass
        self._exactly(self._padding)
        self._padding = 0
        block = self._exactly(BLOCK_BYTES)
        if block.count(0) == BLOCK_BYTES:
            if self._exactly(BLOCK_BYTES).count(0) != BLOCK_BYTES:
                raise ArchiveDamaged("the end of the tar stream is not whole")
            return None
        try:
            return tarfile.TarInfo.frombuf(block, _ENCODING, _ERRORS)
        except (tarfile.HeaderError, ValueError) as error:
            raise ArchiveDamaged("not a tar header") from error

    def _extra(self, header: tarfile.TarInfo) -> dict[str, str]:
        if not 0 <= header.size <= _MAX_EXTRA_BYTES:
            raise ArchiveDamaged("a tar header of unreasonable size")
        encoded = self._exactly(header.size)
        self._exactly(-header.size % BLOCK_BYTES)
        if header.type in _GNU_LONG:
            return {_GNU_LONG[header.type]: encoded.rstrip(b"\0").decode(_ENCODING, _ERRORS)}
        return dict(_pax_records(encoded))

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._source.read(size)
            if not part:
                raise ArchiveDamaged("the archive ends early")
            size -= len(part)
            parts.append(part)
        return b"".join(parts)


def _entry(header: tarfile.TarInfo, extra: dict[str, str]) -> tuple[Entry, int]:
    """Return an entry, and how many bytes are stored for it."""
    sparse = {key.removeprefix(PREFIX): value for key, value in extra.items() if key.startswith(PREFIX)}
    name = sparse.get("name", extra.get("path", header.name))
    kind = _KINDS.get(header.type)
    if kind is None:
        raise RefusedEntry(entry=name, rule="it is neither a file, a folder nor a link")
    if sparse and (sparse.get("major"), sparse.get("minor"), kind) != ("1", "0", Kind.FILE):
        raise RefusedEntry(entry=name, rule="it is stored as a sparse file of a format that this reader does not know")
    if sparse and not {"name", "realsize"} <= set(sparse):
        raise RefusedEntry(entry=name, rule="it is a sparse file without its name or size")
    stored = _size(extra["size"], name) if "size" in extra else header.size
    size = _size(sparse["realsize"], name) if sparse else stored
    if not 0 <= min(size, stored) <= max(size, stored) <= (_MAX_SIZE if kind is Kind.FILE else 0):
        raise RefusedEntry(entry=name, rule="it states an impossible size")
    mtime_ns = _time(extra["mtime"], name) if "mtime" in extra else int(header.mtime) * _NANOSECONDS
    if abs(mtime_ns) > _MAX_SECONDS * _NANOSECONDS:
        raise RefusedEntry(entry=name, rule="it states an impossible time")
    link = extra.get("linkpath", header.linkname) if kind in {Kind.SYMLINK, Kind.HARD_LINK} else ""
    mode = header.mode & _PERMISSIONS
    return Entry(name=name, kind=kind, mode=mode, mtime_ns=mtime_ns, size=size, link=link), stored


def _pax_records(encoded: bytes) -> Iterator[tuple[str, str]]:
    """Yield key and value of each record: length, space, key=value, newline; the length counts all of it."""
    position = 0
    while position < len(encoded):
        stated = _PAX_LENGTH.match(encoded, position)
        end = position + int(stated[1]) if stated else 0
        if stated is None or not stated.end() < end <= len(encoded) or encoded[end - 1 : end] != b"\n":
            raise ArchiveDamaged("not a pax header")
        key, separator, value = encoded[stated.end() : end - 1].partition(b"=")
        if not separator:
            raise ArchiveDamaged("not a pax header")
        yield key.decode(_ENCODING, _ERRORS), value.decode(_ENCODING, _ERRORS)
        position = end


def _size(text: str, name: str) -> int:
    if not _PAX_SIZE.fullmatch(text):
        raise RefusedEntry(entry=name, rule="it states an impossible size")
    return int(text)


def _time(text: str, name: str) -> int:
    matched = _PAX_TIME.fullmatch(text)
    if matched is None:
        raise RefusedEntry(entry=name, rule="it states an impossible time")
    sign, seconds, fraction = matched.groups(default="")
    total = int(seconds) * _NANOSECONDS + int(fraction.ljust(9, "0"))
    return -total if sign else total


def _decimal_time(nanoseconds: int) -> str:
    seconds, fraction = divmod(abs(nanoseconds), _NANOSECONDS)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}.{fraction:09d}"
