"""Files with holes: where their data is, and that as GNU's sparse format 1.0 of pax archives.

Such an entry is stored as a map (decimal numbers, one a line: how many, then offset and length of each piece of data,
padded to whole blocks) and the data alone. The same is read by GNU tar, bsdtar and Python's tarfile. Source: GNU tar
manual, appendix "Storing Sparse Files".
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MAX_EXTENTS: Final = 1 << 16
PREFIX: Final = "GNU.sparse."
_UNIT_BYTES = 512  # of st_blocks, whatever the file system's own are
_NUMBER = re.compile(rb"\d{1,19}", re.ASCII)
_HIDDEN_FOLDER = "GNUSparseFile.0"


class BadSparseMap(ValueError):
    """A map that no honest writer makes."""


@dataclass(frozen=True, slots=True)
class Extent:
    """One piece of data in a file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The place right behind it."""
        return self.offset + self.length


Extents = tuple[Extent, ...]


def find_extents(descriptor: int, status: os.stat_result) -> Extents | None:
    """Return where an open file has data, or None where it has no holes, or its file system does not tell.

    Of very many pieces the last stand for all that is left, so that memory is bounded; holes in it are read as zeros.
    """
    size = status.st_size
    if status.st_blocks * _UNIT_BYTES >= size:
        return None
    found: list[Extent] = []
    try:
        for extent in _pieces(descriptor, size):
            if len(found) == MAX_EXTENTS - 2:
                found.append(Extent(extent.offset, size - extent.offset))
                break
            found.append(extent)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
            return None
        raise
    return None if found == [Extent(0, size)] else tuple(found)


def stored_bytes(extents: Extents) -> int:
    """Return how much data there is."""
    return sum(extent.length for extent in extents)


def encode_map(extents: Extents, *, size: int, block_bytes: int) -> bytes:
    """Return the map of a file of `size` bytes. A hole at its end is an empty piece there, as GNU tar needs it."""
    listed = list(extents)
    if not listed or listed[-1].end < size:
        listed.append(Extent(size, 0))
    numbers = [len(listed), *(number for extent in listed for number in (extent.offset, extent.length))]
    encoded = b"".join(b"%d\n" % number for number in numbers)
    return encoded + bytes(-len(encoded) % block_bytes)


def pax_headers(name: str, *, size: int) -> dict[str, str]:
    """Return what says that an entry is the file `name` of `size` bytes, stored so."""
    return {f"{PREFIX}major": "1", f"{PREFIX}minor": "0", f"{PREFIX}name": name, f"{PREFIX}realsize": str(size)}


def stored_name(name: str) -> str:
    """Return the name that a reader without this format makes the stored form under, in place of the file's own.

    Short and ASCII: Python's tarfile takes a `path` record, which a longer one needs, for the file's own name.
    """
    return f"{_HIDDEN_FOLDER}/{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def read_map(read_block: Callable[[], bytes]) -> Extents:
    """Read a map, block by block.

    Raises:
        BadSparseMap: it is not one, or of more pieces than any writer makes.
    """
    numbers = _numbers(read_block)
    count = next(numbers)
    if count > MAX_EXTENTS:
        raise BadSparseMap("too many pieces")
    return tuple(Extent(next(numbers), next(numbers)) for _ in range(count))


def check_map(extents: Extents, *, size: int, stored: int) -> None:
    """Check that pieces stand in order, inside the file, and are all that is stored.

    Raises:
        BadSparseMap: they are not.
    """
    place = 0
    for extent in extents:
        if not place <= extent.offset <= extent.end <= size:
            raise BadSparseMap("pieces out of order or outside of the file")
        place = extent.end
    if stored_bytes(extents) != stored:
        raise BadSparseMap("not all of the data is placed")


def _pieces(descriptor: int, size: int) -> Iterator[Extent]:
    place = 0
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            raise
        place = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        if start >= place:
            return  # it became shorter, which who reads it finds out
        yield Extent(start, place - start)


def _numbers(read_block: Callable[[], bytes]) -> Iterator[int]:
    rest = b""
    while True:
        while b"\n" not in rest:
            if len(rest) > _UNIT_BYTES:
                raise BadSparseMap("not a map")
            rest += read_block()
        line, _, rest = rest.partition(b"\n")
        if not _NUMBER.fullmatch(line):
            raise BadSparseMap("not a map")
        yield int(line)
