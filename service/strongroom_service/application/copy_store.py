"""Taking a vault from one database to another: resumable, compared row by row, and never served from both.

The order is what keeps it so. The destination is marked as being copied to, and is not served from; what differs is
copied; everything is compared; the source is marked as moved, and is not served from any more; last the destination is
released. A copy that ends anywhere in between is run again, and goes on from what is equal already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from strongroom_service.domain.errors import Misconfigured, RecordRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from strongroom_service.application.rows import EventBase, RecordRow, VaultRow

_BATCH = 200
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event with its `position` in the sequence of all commits, which tenants' cursors name."""

    version: int
    position: int
    at: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class History:
    """All that is stored under one record id: the row (None where it is lost), the events by version, the base."""

    record_id: bytes
    record: RecordRow | None
    events: tuple[PlacedEvent, ...]
    base: EventBase | None


class CopySource(Protocol):
    """The database that is left. Nobody else writes it meanwhile. Each raises StoreUnavailable."""

    async def scan_histories(self, *, after: bytes, limit: int) -> tuple[History, ...]:
        """Return at most `limit` histories with ids above `after`, in their order."""

    async def load_vault(self) -> VaultRow | None:
        """Return the vault's row."""

    async def last_position(self) -> int:
        """Return the newest position ever given to an event, 0 if none was."""

    async def mark_moved(self, destination: str) -> None:
        """Have nobody serve from here any more, durably. Idempotent."""


class CopyDestination(Protocol):
    """The database that is gone to. Each raises StoreUnavailable or OutcomeUnknown."""

    name: str

    async def begin(self) -> None:
        """Have nobody serve from here until `finish`.

        Raises:
            Misconfigured: a vault is here that is not a copy under way.
        """

    async def load_histories(self, record_ids: Sequence[bytes]) -> Mapping[bytes, History]:
        """Return what is here of these."""

    async def replace_histories(self, histories: Sequence[History]) -> None:
        """Have exactly these under their ids, durably, all or none."""

    async def replace_vault(self, row: VaultRow, *, last_position: int) -> None:
        """Have this row, and go on with positions above that one."""

    async def load_vault(self) -> VaultRow | None:
        """Return the vault's row."""

    async def last_position(self) -> int:
        """See `CopySource.last_position`."""

    async def count_record_ids(self) -> int:
        """Return under how many record ids something is here."""

    async def finish(self) -> None:
        """Release it to be served from, durably."""


@dataclass(slots=True)
class Copied:
    """What was found, and how much of it had not been copied before."""

    records: int = 0
    events: int = 0
    copied: int = 0


async def copy_store(source: CopySource, destination: CopyDestination, *, say: Say) -> Copied:
    """Copy, compare, and hand over; say how far it has come.

    Raises:
        Misconfigured: there is no vault at the source, or another one at the destination.
        RecordRejected: what was copied is not what is there; nothing was handed over.
        StoreUnavailable, OutcomeUnknown: run it again.
    """
    vault = await source.load_vault()
    if vault is None:
        raise Misconfigured("there is no vault at the source")
    await destination.begin()
    copied = await _walk(source, destination, mend=True)
    position = await source.last_position()
    await destination.replace_vault(vault, last_position=position)
    say(f"{copied.records} records with {copied.events} events are there, {copied.copied} of them copied now.")
    compared = await _walk(source, destination, mend=False)
    same = (await destination.load_vault(), await destination.last_position()) == (vault, position)
    if not same or await destination.count_record_ids() != compared.records:
        raise RecordRejected("the destination holds something that the source does not")
    say("Each was compared, byte by byte.")
    await source.mark_moved(destination.name)
    await destination.finish()
    return copied


async def _walk(source: CopySource, destination: CopyDestination, *, mend: bool) -> Copied:
    seen = Copied()
    after = b""
    while histories := await source.scan_histories(after=after, limit=_BATCH):
        there = await destination.load_histories([history.record_id for history in histories])
        differing = [history for history in histories if there.get(history.record_id) != history]
        if differing and not mend:
            raise RecordRejected(f"{len(differing)} records at the destination are not what was copied")
        if differing:
            await destination.replace_histories(differing)
        seen.records += len(histories)
        seen.events += sum(len(history.events) for history in histories)
        seen.copied += len(differing)
        after = histories[-1].record_id
    return seen
