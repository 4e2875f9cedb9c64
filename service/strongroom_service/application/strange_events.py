"""Events that do not open where they stand: from another place of the chain, of another record, or altered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom_service.application.evidence import Place
from strongroom_service.domain.chains import Finding, Named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from strongroom_service.application.evidence import EvidenceKeeper
    from strongroom_service.application.rows import EventRow

# Beyond that it is plain that the database is no longer what it was; every place is tried for every event.
_MOST_EXPLAINED: Final = 64
_PLACES_BESIDE: Final = 64


class StrangeEvents:
    """Gathers them while histories are walked; where one belongs can be told once all are known."""

    def __init__(self) -> None:
        self._events: list[EventRow] = []
        self._unexplained: list[Place] = []

    def add(self, event: EventRow) -> None:
        """Note an event that does not open where it stands."""
        if len(self._events) < _MOST_EXPLAINED:
            self._events.append(event)
        else:
            self._unexplained.append(Place(event.record_id, event.version))

    async def explained(self, keeper: EvidenceKeeper) -> AsyncIterator[Finding]:
        """Yield what is wrong with each."""
        strange = [Place(event.record_id, event.version) for event in self._events]
        for event in self._events:
            yield _finding(event, await keeper.place_of(event.sealed, [*_beside(event), *strange]))
        for place in self._unexplained:
            why = "it does not open; not looked further into, as so many do not"
            yield Finding(named=Named.ALTERED, record_id=place.record_id, version=place.version, why=why)


def _beside(event: EventRow) -> Sequence[Place]:
    """The places around it in its own record."""
    first = max(event.version - _PLACES_BESIDE, 1)
    return [Place(event.record_id, version) for version in range(first, event.version + _PLACES_BESIDE)]


def _finding(event: EventRow, place: Place | None) -> Finding:
    if place is None:
        named, why = Named.ALTERED, "it does not open as an event of this record at any version near"
    elif place.record_id == event.record_id:
        named, why = Named.REORDERED, f"this is the event of version {place.version}"
    else:
        named, why = Named.SWAPPED, f"this is the event of version {place.version} of record {place.record_id.hex()}"
    return Finding(named=named, record_id=event.record_id, version=event.version, why=why)
