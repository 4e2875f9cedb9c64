"""The shape of a field: how many bytes it must have."""

from __future__ import annotations

from strongroom_service.domain.errors import InvalidField


def exactly(size: int, value: bytes, *, field: str) -> bytes:
    """Return `value` if it has `size` bytes. Raises InvalidField."""
    if len(value) != size:
        raise InvalidField(field=field, rule=f"must be {size} bytes")
    return value


def sized(value: bytes, *, field: str, least: int, most: int) -> bytes:
    """Return `value` if it has `least` to `most` bytes. Raises InvalidField."""
    if not least <= len(value) <= most:
        raise InvalidField(field=field, rule=f"must be {least} to {most} bytes")
    return value
