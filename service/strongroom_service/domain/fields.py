"""The one encoding under every hash, HMAC, derivation context and AAD.

A list of fields, each a big-endian u32 length followed by that many bytes. The first field is the label that names the
use, so that no input of one use can ever equal an input of another; lengths make the encoding injective.
"""

from __future__ import annotations

import functools
import hashlib
import struct

_LENGTH = struct.Struct(">I")
_INTEGER = struct.Struct(">IQ")  # with its length before it
_INTEGER_BYTES = 8
_MAX_INTEGER = 2 ** (8 * _INTEGER_BYTES) - 1


def encode_fields(label: str, *fields: bytes | int) -> bytes:
    """Encode `label` (ASCII) and `fields` (bytes, or integers as u64) injectively.

    Raises:
        ValueError: an integer does not fit in 64 unsigned bits, or the label is not ASCII.
    """
    parts = [_encode_label(label)]
    for field in fields:  # a plain loop: this runs some thirty times in a release
        if isinstance(field, bytes):
            parts += (_LENGTH.pack(len(field)), field)
        else:
            parts.append(_encode_integer(field))
    return b"".join(parts)


def hash_fields(label: str, *fields: bytes | int) -> bytes:
    """Return SHA-256 (32 bytes) over `encode_fields(label, *fields)`."""
    return hashlib.sha256(encode_fields(label, *fields)).digest()


@functools.lru_cache(maxsize=256)  # labels are few, and constants
def _encode_label(label: str) -> bytes:
    encoded = label.encode("ascii")
    return _LENGTH.pack(len(encoded)) + encoded


def _encode_integer(field: int) -> bytes:
    if not 0 <= field <= _MAX_INTEGER:
        message = f"integer field out of u64 range: {field.bit_length()} bits"
        raise ValueError(message)
    return _INTEGER.pack(_INTEGER_BYTES, field)
