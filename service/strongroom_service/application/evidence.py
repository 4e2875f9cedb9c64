"""Port to a keeper on its operators' side: it opens what is stored, so that evidence can be checked and given out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.application.rows import EventRow, RecordRow
    from strongroom_service.domain.chains import Look


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event may belong."""

    record_id: bytes
    version: int


class EvidenceKeeper(Protocol):
    """What checking asks of a keeper. Every method raises KeeperUnavailable, TokenFault or Misconfigured."""

    async def chain_head_of(self, row: RecordRow) -> bytes | None:
        """Return the chain head in the sealed record; None if it does not open as this record at this version."""

    async def look_at(self, events: Sequence[EventRow]) -> tuple[Look, ...]:
        """Open each of the events (of one record) in its place."""

    async def place_of(self, sealed: bytes, places: Sequence[Place]) -> Place | None:
        """Return the one of `places` in which the sealed event opens, None if in none of them."""
