"""What an operator should know of a keeper, told with each probe: it has no port where it could be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.keeper.v1 import frames_pb2

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Attributes as in `ProbeReply`."""

    memory_locked: bool
    clock_beyond: Millis
    clock_trusted: bool

    def reply(self) -> frames_pb2.ProbeReply:
        """Return the answer to a probe."""
        return frames_pb2.ProbeReply(
            memory_locked=self.memory_locked, clock_beyond_ms=self.clock_beyond, clock_trusted=self.clock_trusted
        )
