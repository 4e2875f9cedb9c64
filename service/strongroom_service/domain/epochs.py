"""Key epochs: the generations of a key and what each may still do."""

from __future__ import annotations

from enum import Enum, unique


@unique
class EpochState(Enum):
    """PREPARED is made and not used yet, ACTIVE in use, RETIRED opens only, DESTROYED is gone from the token."""

    PREPARED = "prepared"
    ACTIVE = "active"
    RETIRED = "retired"
    DESTROYED = "destroyed"
