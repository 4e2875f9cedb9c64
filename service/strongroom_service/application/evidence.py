"""Ports to a keeper on its operators' side: it opens what is stored, so that evidence can be checked and given out.

Every method raises KeeperUnavailable (no answer), TokenFault or Misconfigured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.application.rows import EventRow, RecordRow, VaultRow
    from strongroom_service.domain.chains import Look
    from strongroom_service.domain.checkpoints import Leaf, SignedCheckpoint
    from strongroom_service.domain.clock import Millis


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event may belong."""

    record_id: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStanding:
    """What the vault's row says of its last checkpoint (zeros before the first), and the keeper's time.

    `horizon`: events of this time and before may be gone, but for the newest of them in each record.
    """

    serial: int
    digest: bytes
    made_at: Millis
    now: Millis
    horizon: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCheckpoint:
    """A checkpoint over all leaves that were added, and the vault's row that keeps it, to be committed."""

    signed: SignedCheckpoint
    successor: VaultRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRecord:
    """Whose record it is and where its chain is; `tally` as docs/protocol.md has it."""

    tenant: str
    account: str
    chain_head: bytes
    tally: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedEvent:
    """An event out of its seal: `content` is a serialized strongroom.v1.Event."""

    previous_head: bytes
    content: bytes
    tally: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportEnd:
    """The signature over an export."""

    made_at: Millis
    records: int
    events: int
    identity_public_key: bytes
    signature: bytes


class EvidenceKeeper(Protocol):
    """What checking asks of a keeper."""

    async def chain_head_of(self, row: RecordRow) -> bytes | None:
        """Return the chain head in the sealed record; None if it does not open as this record at this version."""

    async def look_at(self, events: Sequence[EventRow]) -> tuple[Look, ...]:
        """Open each of the events (of one record) in its place."""

    async def place_of(self, sealed: bytes, places: Sequence[Place]) -> Place | None:
        """Return the one of `places` in which the sealed event opens, None if in none of them."""


class CheckpointKeeper(Protocol):
    """What making a checkpoint asks of a keeper; all on one connection, which holds the leaves so far."""

    async def open_vault(self, row: VaultRow) -> VaultStanding:
        """Open the vault's row: first of all, and again when a newer one stands.

        Raises:
            RecordRejected: it does not open, or is older than the one that is open.
        """

    async def add_leaves(self, rows: Sequence[RecordRow]) -> tuple[Leaf, ...]:
        """Open each row, in order of record ids over all calls, and add its leaf.

        Raises:
            RecordRejected: one does not open, or is out of order.
        """

    async def finish_checkpoint(self) -> MadeCheckpoint:
        """Sign what was added, as the successor of the checkpoint that the open row of the vault keeps."""


class ExportKeeper(Protocol):
    """What an export asks of a keeper; all on one connection, which holds the tally so far."""

    async def export_record(self, row: RecordRow) -> ExportedRecord:
        """Open the row. Raises RecordRejected where it does not open."""

    async def export_events(self, events: Sequence[EventRow]) -> tuple[ExportedEvent, ...]:
        """Open events of the record exported last, oldest first. Raises RecordRejected where one does not open."""

    async def finish_export(self) -> ExportEnd:
        """Sign what was exported."""
