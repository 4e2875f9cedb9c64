"""The one sequence of all commits, numbered when it is read; see the first migration for why not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from strongroom_service.application.rows import EventBase
    from strongroom_service.store.postgres_connection import PostgresConnection

_ANY_WAITING: Final = "SELECT EXISTS (SELECT 1 FROM feed_waiting)"
_LOCK: Final = "SELECT position FROM feed_end WHERE id = 1 FOR UPDATE"
# After the lock, in a statement of its own: one statement would still see what waited before others were done.
_PLACE: Final = """
WITH taken AS (
    DELETE FROM feed_waiting
    WHERE arrived IN (SELECT arrived FROM feed_waiting ORDER BY arrived LIMIT 1000)
    RETURNING arrived, record_id, version
), placed AS (
    INSERT INTO feed (position, record_id, version)
    SELECT %b + row_number() OVER (ORDER BY arrived), record_id, version FROM taken
    RETURNING position
)
UPDATE feed_end SET position = (SELECT max(position) FROM placed)
WHERE id = 1 AND EXISTS (SELECT 1 FROM placed) RETURNING position
"""
_KEEP_BASE: Final = (
    "INSERT INTO event_bases (record_id, version, chain_head) VALUES (%b, %b, %b) ON CONFLICT (record_id)"
    " DO UPDATE SET version = excluded.version, chain_head = excluded.chain_head"
)
_FORGET_PLACES: Final = "DELETE FROM feed WHERE record_id = %b AND version <= %b"
_REMOVE_EVENTS: Final = "DELETE FROM events WHERE record_id = %b AND version <= %b RETURNING version"


async def place_events(connection: PostgresConnection) -> None:
    """Give every committed event its position. Raises as `PostgresConnection.transaction`."""
    while (await connection.read(_ANY_WAITING))[0][0]:
        async with connection.transaction() as execute:
            [(last,)] = await execute(_LOCK)
            await execute(_PLACE, last)


async def prune_events(connection: PostgresConnection, base: EventBase) -> int:
    """Remove the record's events up to `base` and keep that; return how many. Raises as the above."""
    async with connection.transaction() as execute:
        await execute(_KEEP_BASE, base.record_id, base.version, base.chain_head)
        await execute(_FORGET_PLACES, base.record_id, base.version)
        return len(await execute(_REMOVE_EVENTS, base.record_id, base.version))
