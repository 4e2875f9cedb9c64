"""Key epochs: the generations of a key and what each may still do."""

from __future__ import annotations

from enum import Enum, unique
from typing import Final


@unique
class EpochState(Enum):
    """Where a key is in its life; it goes from one to the next, and back from RETIRED to RETIRING alone.

    PREPARED is made, and every keeper has it before anything is made with it. ACTIVE is in use. RETIRING makes nothing
    new and opens everything, until nothing needs it. RETIRED opens events, if it sealed any, and nothing else.
    DESTROYED is gone from the token.
    """

    PREPARED = "prepared"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    DESTROYED = "destroyed"


OPENING: Final = frozenset({EpochState.PREPARED, EpochState.ACTIVE, EpochState.RETIRING})
"""What opens everything: what another keeper has made may be ahead of us by one change."""
SHOWN: Final = frozenset({EpochState.ACTIVE, EpochState.RETIRING})
"""What clients are told of in the key bundle."""


@unique
class EpochChange(Enum):
    """What an operator does with a key."""

    PREPARE = "prepare"
    ACTIVATE = "activate"
    RETIRE = "retire"
    TAKE_BACK = "take_back"
    DESTROY = "destroy"


@unique
class RotatedKey(Enum):
    """What has epochs; the value is how operators name it. The index key has none."""

    KEK = "kek"
    SEAL = "seal"
    TRANSPORT = "transport"
    IDENTITY = "identity"
