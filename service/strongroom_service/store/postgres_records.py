"""Reading records: all that wait are read in one query."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from strongroom_service.application.rows import RecordRow
from strongroom_service.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom_service.store.postgres_connection import PostgresConnection

_LOAD: Final = "SELECT record_id, version, sealed FROM records WHERE record_id = ANY(%b)"
_MAX_BATCH: Final = 256


class RecordReader:
    """While one query is under way the next gathers: no timer, and one round trip for all that came meanwhile."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._waiting: dict[bytes, asyncio.Future[RecordRow | None]] = {}
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def load(self, record_id: bytes) -> RecordRow | None:
        """Return the newest committed row, or None. It is read after this was called.

        Raises:
            StoreUnavailable: the database gave no answer.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        answer = self._waiting.get(record_id)
        if answer is None:
            answer = self._waiting[record_id] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(answer)  # others may wait for the same row

    def close(self) -> None:
        """Refuse what still waits. Idempotent."""
        self._closed = True
        waiting, self._waiting = self._waiting, {}
        _refuse(waiting.values(), "the store is closed")

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:_MAX_BATCH]}
                await self._answer(batch)
        finally:
            self._running = None

    async def _answer(self, batch: dict[bytes, asyncio.Future[RecordRow | None]]) -> None:
        try:
            rows = await self._connection.read(_LOAD, list(batch))
        except Exception as error:  # noqa: BLE001  a defect here must not leave callers waiting for ever
            _refuse(batch.values(), f"cannot read: {type(error).__name__}: {error}")
            return
        found = {key: RecordRow(record_id=key, version=version, sealed=sealed) for key, version, sealed in rows}
        for key, answer in batch.items():
            answer.set_result(found.get(key))


def _refuse(answers: Iterable[asyncio.Future[RecordRow | None]], why: str) -> None:
    for answer in answers:
        answer.set_exception(StoreUnavailable(why))
        answer.exception()  # seen, even if every caller has gone
