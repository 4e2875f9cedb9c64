"""The stream around the tar: zstd, then age; constant memory both ways.

Writing pulls: age asks for bytes, the compressor gives them, and takes tar chunks when it runs dry; zstd works in
threads of its own. Reading cannot pull, since age pushes: it runs in a thread that writes to a pipe. The pipe is the
back-pressure: a full one stops age. Leaving the block closes the reading end, which ends a blocked thread with EPIPE.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Self, cast

import zstandard

from strongroom_client.age_file import (
    AgeError,
    ByteSink,
    ByteSource,
    NoMatchingIdentity,
    decrypt_stream,
    encrypt_stream,
)
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.errors import ArchiveDamaged, ArchiveError, ArchiveLocked

_MAX_THREADS = 4  # age, on one thread, is the narrowest place from there on
_PIPE_BYTES = 1 << 20  # what an unprivileged process may ask for; the default of 64 KiB makes two threads take turns


def seal_stream(chunks: Iterator[bytes], *, sink: ByteSink, recipients: Sequence[str], level: int) -> None:
    """Compress `chunks` at zstd's `level` (1 to 19) and encrypt them to `recipients` into `sink`.

    Raises:
        ArchiveError: a recipient is malformed or there is none.
        Exception: whatever `chunks` or `sink` raised.
    """
    try:
        encrypt_stream(source=_Chunks(_compressed(chunks, level=level)), sink=sink, recipients=recipients)
    except AgeError as error:
        raise ArchiveError(str(error)) from error


class OpenedStream:
    """The tar stream inside an archive; a context manager, since a thread decrypts while it is read."""

    def __init__(self, sealed: ByteSource, *, identities: Sequence[ArchiveIdentity]) -> None:
        reading_end, self._writing_end = os.pipe()
        with suppress(OSError):  # only speed depends on it, and the limit is the system's
            fcntl.fcntl(reading_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._decrypted = os.fdopen(reading_end, "rb", buffering=0)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._decrypt, args=(sealed, identities), daemon=True)
        source = cast("IO[bytes]", _Chunks(self._authenticated()))  # of a file, zstandard uses only `read`
        self._decompressed = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._decrypted.close()
        self._thread.join()

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or `b""` when all of the archive has been read and found whole.

        Raises:
            ArchiveLocked: none of the identities opens it.
            ArchiveDamaged: cut short, altered, or not an archive.
            ArchiveError: the file cannot be read.
        """
        try:
            return self._decompressed.read(size)
        except zstandard.ZstdError as error:
            raise ArchiveDamaged("the content of the age file is not a zstd stream") from error

    def _authenticated(self) -> Iterator[bytes]:
        """Yield what age gives, and end only if age found the whole file sound: its last word comes after its bytes."""
        while chunk := self._decrypted.read(_PIPE_BYTES):
            yield chunk
        self._thread.join()
        if isinstance(self._failure, NoMatchingIdentity):
            raise ArchiveLocked("none of the identities opens this archive") from self._failure
        if isinstance(self._failure, AgeError):
            raise ArchiveDamaged("the archive was cut short or altered, or is not one") from self._failure
        if isinstance(self._failure, ArchiveError):
            raise self._failure
        if self._failure is not None:
            raise ArchiveError("the archive cannot be read") from self._failure

    def _decrypt(self, sealed: ByteSource, identities: Sequence[ArchiveIdentity]) -> None:
        with os.fdopen(self._writing_end, "wb", buffering=0) as raw:
            try:
                decrypt_stream(source=sealed, sink=_WholeWrites(raw.fileno()), identities=identities)
            except Exception as error:  # noqa: BLE001  carried to the reading thread, which raises it
                self._failure = error


class _WholeWrites:
    """A pipe takes part of a large write when a signal comes; age expects all or an exception."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, chunk: bytes) -> int:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        return len(chunk)


class _Chunks:
    """Chunks of any length, read as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._position == len(self._chunk):
            self._chunk, self._position = next(self._chunks, b""), 0
        piece = self._chunk[self._position : self._position + size]
        self._position += len(piece)
        return piece


def _compressed(chunks: Iterator[bytes], *, level: int) -> Iterator[bytes]:
    processors = os.cpu_count() or 1
    threads = min(processors, _MAX_THREADS) if processors > 1 else 0
    compressor = zstandard.ZstdCompressor(level=level, threads=threads).compressobj()
    for chunk in chunks:
        if compressed := compressor.compress(chunk):
            yield compressed
    yield compressor.flush()
