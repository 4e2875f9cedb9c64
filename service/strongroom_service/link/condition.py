"""What a keeper told of itself with its last probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from strongroom.keeper.v1.frames_pb2 import ProbeReply


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperCondition:
    """What is not as an operator would wish it; such a keeper goes on all the same.

    Attributes:
        memory_locked: its memory is kept out of swap.
        clock_beyond_ms: by how much its host's clock is ahead of (negative: behind) the time it goes by.
        clock_trusted: it begins and judges by that clock.
    """

    memory_locked: bool
    clock_beyond_ms: int
    clock_trusted: bool

    @classmethod
    def read(cls, reply: ProbeReply) -> Self:
        """Return what a keeper said."""
        return cls(
            memory_locked=reply.memory_locked,
            clock_beyond_ms=reply.clock_beyond_ms,
            clock_trusted=reply.clock_trusted,
        )
