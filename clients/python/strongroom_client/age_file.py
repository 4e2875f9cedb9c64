"""age files through pyrage, the only module that knows it: streaming, with exceptions kept whole.

pyrage calls back into Python for bytes and turns whatever a callback raises, KeyboardInterrupt included, into its own
error with the first one's text; what the sink raises for the last few kilobytes it drops, and reports success. The
guards here remember the original, which is raised in every case.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyrage  # type: ignore[import-untyped]  # ships no types; every use of it is in this module

from strongroom_client.age_keys import ArchiveIdentity

# The `age` crate's text for a file that none of the identities opens; pyrage gives no other sign. Pinned by a test.
_NO_MATCH = "No matching keys found"


class AgeError(Exception):
    """An age file cannot be written or read."""


class AgeFileDamaged(AgeError):
    """Not an age file, or one that was cut short or altered."""


class NoMatchingIdentity(AgeError):
    """A sound age header, but none of the identities opens it."""


class ByteSource(Protocol):
    """What can be read: at most `size` bytes at a time, `b""` at the end only."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to `size` bytes, or `b""` at the end."""


class ByteSink(Protocol):
    """What can be written to: all of `chunk`, or an exception."""

    def write(self, chunk: bytes, /) -> int:
        """Take all of `chunk` and return its length."""


def encrypt_stream(*, source: ByteSource, sink: ByteSink, recipients: Sequence[str]) -> None:
    """Encrypt `source` to every one of `recipients` (`age1...`) in constant memory.

    Raises:
        AgeError: a recipient is malformed, there is none, or encryption failed.
        Exception: whatever `source` or `sink` raised.
    """
    if not recipients:
        message = "an age file needs at least one recipient"
        raise AgeError(message)
    guarded_source, guarded_sink = _GuardedSource(source), _GuardedSink(sink)
    try:
        parsed = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
        pyrage.encrypt_io(guarded_source, guarded_sink, parsed)
    except Exception as error:  # noqa: BLE001  pyrage wraps what callbacks raise in errors of many types
        _raise_original(guarded_source, guarded_sink)
        message = f"age encryption failed: {error}"
        raise AgeError(message) from None
    _raise_original(guarded_source, guarded_sink)


def decrypt_stream(*, source: ByteSource, sink: ByteSink, identities: Sequence[ArchiveIdentity]) -> None:
    """Decrypt `source` with whichever of `identities` fits, in constant memory.

    Each 64 KiB reaches `sink` only after its own authentication, but whether the file was cut short is known only
    when this returns: what was written counts from then on and not before.

    Raises:
        NoMatchingIdentity: none of `identities` opens it.
        AgeFileDamaged: not an age file, cut short, or altered.
        Exception: whatever `source` or `sink` raised.
    """
    guarded_source, guarded_sink = _GuardedSource(source), _GuardedSink(sink)
    try:
        parsed = [pyrage.x25519.Identity.from_str(identity.reveal()) for identity in identities]
        pyrage.decrypt_io(guarded_source, guarded_sink, parsed)
    except Exception as error:  # noqa: BLE001  as in encrypt_stream
        _raise_original(guarded_source, guarded_sink)
        if isinstance(error, pyrage.DecryptError) and str(error) == _NO_MATCH:
            message = "no identity opens this age file"
            raise NoMatchingIdentity(message) from None
        message = f"age file cannot be opened: {error}"
        raise AgeFileDamaged(message) from None
    _raise_original(guarded_source, guarded_sink)


def encrypt_bytes(plaintext: bytes, *, recipients: Sequence[str]) -> bytes:
    """Return an age file of `plaintext`; raises like `encrypt_stream`."""
    sink = io.BytesIO()
    encrypt_stream(source=io.BytesIO(plaintext), sink=sink, recipients=recipients)
    return sink.getvalue()


def decrypt_bytes(age_file: bytes, *, identities: Sequence[ArchiveIdentity]) -> bytes:
    """Return the plaintext of `age_file`, complete and authenticated; raises like `decrypt_stream`."""
    sink = io.BytesIO()
    decrypt_stream(source=io.BytesIO(age_file), sink=sink, identities=identities)
    return sink.getvalue()


@dataclass(slots=True)
class _GuardedSource:
    source: ByteSource
    failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            return self.source.read(size)
        except BaseException as error:
            self.failure = error
            raise


@dataclass(slots=True)
class _GuardedSink:
    sink: ByteSink
    failure: BaseException | None = None

    def write(self, chunk: bytes) -> int:
        try:
            return self.sink.write(chunk)
        except BaseException as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """Nothing to do: pyrage may ask for it, and the sink's owner flushes and syncs."""


def _raise_original(source: _GuardedSource, sink: _GuardedSink) -> None:
    failure = source.failure or sink.failure
    if failure is not None:
        raise failure from None
