"""Times and ages as commands print them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def utc_text(at: Millis) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second; None for 0, which stands for never."""
    if not at:
        return None
    return datetime.fromtimestamp(at // 1_000, tz=UTC).isoformat().replace("+00:00", "Z")


def age_text(at: Millis, *, now: Millis) -> str | None:
    """Return how long ago that was in its largest unit, such as `3 d`; None for 0, which stands for never."""
    if not at:
        return None
    age = max(now - at, 0)
    for size, unit in _UNITS:
        if age >= size:
            return f"{age // size} {unit}"
    return "0 s"
