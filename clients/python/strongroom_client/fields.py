"""The one encoding under every hash, signature and derivation context, as in docs/protocol.md.

A list of fields, each a big-endian u32 length followed by that many bytes. The first field is the label that names the
use, so that no input of one use can ever equal an input of another; lengths make the encoding injective. The service
has its own copy, since client and service never import each other; tests/vectors/fields.json holds them together.
"""

from __future__ import annotations

import hashlib

_LENGTH_BYTES = 4
_INTEGER_BYTES = 8
_MAX_INTEGER = 2 ** (8 * _INTEGER_BYTES) - 1


class FieldsError(ValueError):
    """Bytes are not a list of length-prefixed fields; the message gives no content."""


def encode_fields(label: str, *fields: bytes | int) -> bytes:
    """Encode `label` (ASCII) and `fields` (bytes, or integers as u64) injectively.

    Raises:
        ValueError: an integer does not fit in 64 unsigned bits, or the label is not ASCII.
    """
    parts = [label.encode("ascii"), *(_to_bytes(field) for field in fields)]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)


def hash_fields(label: str, *fields: bytes | int) -> bytes:
    """Return SHA-256 (32 bytes) over `encode_fields(label, *fields)`."""
    return hashlib.sha256(encode_fields(label, *fields)).digest()


def decode_fields(encoded: bytes) -> tuple[bytes, ...]:
    """Return the fields of `encoded`, the label first; the inverse of `encode_fields`.

    Raises:
        FieldsError: a length runs past the end, or bytes are left over.
    """
    fields: list[bytes] = []
    position = 0
    while position < len(encoded):
        start = position + _LENGTH_BYTES
        end = start + int.from_bytes(encoded[position:start], "big")
        if start > len(encoded) or end > len(encoded):
            message = f"field {len(fields)} runs past the end"
            raise FieldsError(message)
        fields.append(encoded[start:end])
        position = end
    return tuple(fields)


def _to_bytes(field: bytes | int) -> bytes:
    if isinstance(field, bytes):
        return field
    if not 0 <= field <= _MAX_INTEGER:
        message = f"integer field out of u64 range: {field.bit_length()} bits"
        raise ValueError(message)
    return field.to_bytes(_INTEGER_BYTES, "big")
