"""The one sequence of all commits, numbered when it is read; see the first migration for why not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from strongroom_service.application.rows import EventBase
    from strongroom_service.store.postgres_connection import PostgresConnection

_ANY_WAITING: Final = "SELECT EXISTS (SELECT 1 FROM feed_waiting)"
_LOCK: Final = "SELECT position FROM feed_end WHERE id = 1 FOR UPDATE"
# After the lock, in a statement of its own: one statement would still see what waited before others were done.
MOST_AT_ONCE: Final = 1_000
"""Events that are placed in one transaction."""
_PLACE: Final = """
WITH taken AS (
    DELETE FROM feed_waiting
    WHERE arrived IN (SELECT arrived FROM feed_waiting ORDER BY arrived LIMIT %b)
    RETURNING arrived, record_id, version
), placed AS (
    INSERT INTO feed (position, record_id, version)
    SELECT %b + row_number() OVER (ORDER BY arrived), record_id, version FROM taken
    RETURNING position
)
UPDATE feed_end SET position = position + (SELECT count(*) FROM placed) WHERE id = 1
RETURNING (SELECT count(*) FROM placed)
"""
_KEEP_BASE: Final = (
    "INSERT INTO event_bases (record_id, version, chain_head) VALUES (%b, %b, %b) ON CONFLICT (record_id)"
    " DO UPDATE SET version = excluded.version, chain_head = excluded.chain_head"
)
_FORGET_PLACES: Final = "DELETE FROM feed WHERE record_id = %b AND version <= %b"
_REMOVE_EVENTS: Final = "DELETE FROM events WHERE record_id = %b AND version <= %b RETURNING version"


async def place_events(connection: PostgresConnection) -> int:
    """Give the oldest committed events that have none their positions; return how many, `MOST_AT_ONCE` at the most.

    Not all that wait: while many commit there would always be more, and whoever shares the connection would wait.
    Raises as `PostgresConnection.transaction`.
    """
    if not (await connection.read(_ANY_WAITING))[0][0]:
        return 0
    async with connection.transaction() as execute:
        [(last,)] = await execute(_LOCK)
        [(placed,)] = await execute(_PLACE, MOST_AT_ONCE, last)
    return int(placed)


async def prune_events(connection: PostgresConnection, base: EventBase) -> int:
    """Remove the record's events up to `base` and keep that; return how many. Raises as the above."""
    async with connection.transaction() as execute:
        await execute(_KEEP_BASE, base.record_id, base.version, base.chain_head)
        await execute(_FORGET_PLACES, base.record_id, base.version)
        return len(await execute(_REMOVE_EVENTS, base.record_id, base.version))
