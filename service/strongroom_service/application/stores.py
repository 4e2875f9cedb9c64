"""Ports to the database, one per use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from strongroom_service.application.rows import Change, EventBase, EventRow, FeedRow, RecordRow, VaultRow


class RecordStore(Protocol):
    """Records and their events. One row decides."""

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        """Return the newest committed row, or None where there is none.

        Raises:
            StoreUnavailable: the database gave no answer.
        """

    async def commit(self, change: Change) -> None:
        """Write the record and its event in one durable transaction, if the row is still at `change.version - 1`.

        Raises:
            VersionConflict: the row is at another version (or exists, when `change.version` is 1); nothing was written.
            StoreUnavailable: nothing was written.
            OutcomeUnknown: the change may have been written.
        """

    async def confirm(self, row: RecordRow) -> None:
        """Return once `row`, which was read here, is certainly durable.

        A row that is read may stem from a commit whose outcome nobody was told, and which a failover may yet take back.

        Raises:
            VersionConflict: the row was taken back.
            StoreUnavailable, OutcomeUnknown: nothing can be said of it.
        """

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        """Return at most `limit` events with a version below `before_version`, newest first.

        Raises:
            StoreUnavailable: the database gave no answer.
        """


class FeedStore(Protocol):
    """All events in the order in which they were committed."""

    async def load_feed(self, *, after_position: int, limit: int) -> tuple[FeedRow, ...]:
        """Return at most `limit` events after `after_position` (0: from the beginning), in the order of their commits.

        A reader that has seen a position never misses an event at a lower one: none is committed there later.

        Raises:
            StoreUnavailable: the database gave no answer.
        """


class HistoryScan(Protocol):
    """Everything that is stored, a little at a time, beside a service that goes on changing it."""

    async def scan_record_ids(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        """Return at most `limit` record ids above `after` (b"" at first) that have a row or an event, in their order.

        Raises:
            StoreUnavailable: the database gave no answer.
        """

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        """See `RecordStore.load_record`."""

    async def load_base(self, record_id: bytes) -> EventBase | None:
        """Return where the record's history begins, None if it is whole.

        Raises:
            StoreUnavailable: the database gave no answer.
        """

    async def scan_events(self, record_id: bytes, *, after_version: int, limit: int) -> tuple[EventRow, ...]:
        """Return at most `limit` events with a version above `after_version`, oldest first.

        Raises:
            StoreUnavailable: the database gave no answer.
        """


class VaultStore(Protocol):
    """The one-row table of the vault itself."""

    async def load_vault(self) -> VaultRow | None:
        """Return the row, or None before `init`.

        Raises:
            StoreUnavailable: the database gave no answer.
        """

    async def commit_vault(self, row: VaultRow) -> None:
        """Replace the row if it is still at `row.version - 1` (none when that is 0), durably.

        Raises:
            VersionConflict: the row is at another version; nothing was written.
            StoreUnavailable: nothing was written.
            OutcomeUnknown: the row may have been written.
        """
