"""Members of a JSON document, each of exactly its type. Raises ValueError or TypeError, which callers translate."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_U64 = 2**64


def optional(value: object, decode: Callable[[object], _Value]) -> _Value | None:
    """Read null, or what `decode` reads."""
    return None if value is None else decode(value)


def members(value: object, names: AbstractSet[str]) -> dict[str, Any]:
    """Read an object with exactly these members."""
    found = mapping(value)
    if set(found) != names:
        raise ValueError
    return found


def mapping(value: object) -> dict[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        raise TypeError
    return value


def elements(value: object) -> list[object]:
    """Read an array."""
    if not isinstance(value, list):
        raise TypeError
    return value


def text(value: object) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise TypeError
    return value


def count(value: object) -> int:
    """Read a whole number of 64 unsigned bits; JSON's true is no 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    if not 0 <= value < _U64:
        raise ValueError
    return value


def octets(value: object, length: int | None = None) -> bytes:
    """Read lower-case hex, of `length` bytes where one is given."""
    written = text(value)
    read = bytes.fromhex(written)
    if read.hex() != written or (length is not None and len(read) != length):
        raise ValueError
    return read
