"""Presenting a record to a keeper, with the one reload that a race may need."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from strongroom_service.application.keepers import StaleRecord
from strongroom_service.domain.errors import Reason, RecordRejected, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from strongroom_service.application.rows import RecordRow
    from strongroom_service.application.stores import RecordStore

Answer = TypeVar("Answer")


async def load_and_present(
    store: RecordStore, record_id: bytes, ask: Callable[[RecordRow | None], Awaitable[Answer]]
) -> tuple[RecordRow | None, Answer]:
    """Load the newest row, ask the keeper with it, and return both. Raises as `present`."""
    return await present(store, record_id, await store.load_record(record_id), ask)


async def present(
    store: RecordStore,
    record_id: bytes,
    row: RecordRow | None,
    ask: Callable[[RecordRow | None], Awaitable[Answer]],
) -> tuple[RecordRow | None, Answer]:
    """Ask the keeper with `row`, and return the answer with the row that it was given for.

    A keeper may have been presented a newer row meanwhile: then the row is loaded once more. Every row presented to a
    keeper was committed before, so the store must have one at least as new; if it has not, it went back.

    Raises:
        RecordRejected: the store holds an older row than a keeper has seen, or another one at the same version.
        Refusal: BEGIN_AGAIN when the record moved on twice while we asked.
    """
    try:
        return row, await ask(row)
    except StaleRecord as stale:
        first = stale
    reloaded = await store.load_record(record_id)
    if _version(reloaded) < first.newest_version or _version(reloaded) == _version(row):
        message = f"store has version {_version(reloaded)}, a keeper has seen {first.newest_version}"
        raise RecordRejected(message) from first
    try:
        return reloaded, await ask(reloaded)
    except StaleRecord as stale:
        raise Refusal(Reason.BEGIN_AGAIN, detail="record moved on twice") from stale


def _version(row: RecordRow | None) -> int:
    return 0 if row is None else row.version
