"""The store of records with its commits traced; what waits for the others of a batch is part of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.errors import StoreUnavailable, VersionConflict
from strongroom_service.telemetry.spans import CommitResult

if TYPE_CHECKING:
    from strongroom_service.application.rows import Change, EventRow, RecordRow
    from strongroom_service.application.stores import RecordStore
    from strongroom_service.telemetry.spans import Tracing


class TracedStore:
    """Implements `application.stores.RecordStore` by another that does."""

    def __init__(self, store: RecordStore, *, tracing: Tracing) -> None:
        self._store = store
        self._tracing = tracing

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        """See the port."""
        return await self._store.load_record(record_id)

    async def commit(self, change: Change) -> None:
        """See the port."""
        span = self._tracing.start_commit()
        result = CommitResult.UNKNOWN  # also of one that nobody waited for
        try:
            await self._store.commit(change)
            result = CommitResult.OK
        except VersionConflict:
            result = CommitResult.CONFLICT
            raise
        except StoreUnavailable:
            result = CommitResult.UNAVAILABLE
            raise
        finally:
            span.end(result)

    async def confirm(self, row: RecordRow) -> None:
        """See the port."""
        await self._store.confirm(row)

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        """See the port."""
        return await self._store.load_events(record_id, before_version=before_version, limit=limit)
