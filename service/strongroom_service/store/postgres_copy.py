"""A PostgreSQL database as what a copy goes to; under the role that owns its tables."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from psycopg.conninfo import conninfo_to_dict

from strongroom_service.application.copy_store import History, PlacedEvent
from strongroom_service.application.rows import EventBase, RecordRow, VaultRow
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.store.postgres_connection import PostgresConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from strongroom_service.store.postgres_rules import PostgresRules

_RECORDS: Final = "SELECT record_id, version, sealed FROM records WHERE record_id = ANY(%b)"
_EVENTS: Final = (
    "SELECT events.record_id, events.version, feed.position, events.at, events.sealed FROM events LEFT JOIN feed"
    " ON feed.record_id = events.record_id AND feed.version = events.version"
    " WHERE events.record_id = ANY(%b) ORDER BY events.record_id, events.version"
)
_BASES: Final = "SELECT record_id, version, chain_head FROM event_bases WHERE record_id = ANY(%b)"
_TABLES: Final = ("records", "events", "event_bases", "feed")
_INSERT_RECORDS: Final = (
    "INSERT INTO records (record_id, version, sealed) SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[])"
)
_INSERT_EVENTS: Final = (
    "INSERT INTO events (record_id, version, at, sealed)"
    " SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bigint[], %b::bytea[])"
)
_INSERT_PLACES: Final = (
    "INSERT INTO feed (position, record_id, version) SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::bigint[])"
)
_INSERT_BASES: Final = (
    "INSERT INTO event_bases (record_id, version, chain_head)"
    " SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[])"
)
_COUNT: Final = (
    "SELECT count(*) FROM (SELECT record_id FROM records UNION SELECT record_id FROM events"
    " UNION SELECT record_id FROM event_bases UNION SELECT record_id FROM feed) AS ids"
)


class PostgresCopyDestination:
    """`name` says where it is, without a role."""

    def __init__(self, connection: PostgresConnection, *, name: str) -> None:
        self._connection = connection
        self.name = name

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, rules: PostgresRules) -> AsyncIterator[PostgresCopyDestination]:
        """Connect to a migrated database.

        Raises:
            Misconfigured, StoreUnavailable: as `PostgresConnection.open`.
        """
        given = conninfo_to_dict(rules.conninfo)
        name = f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}/{given.get('dbname')}"
        connection = PostgresConnection(rules, copying=True)
        try:
            await connection.open()
            yield cls(connection, name=name)
        finally:
            connection.close()

    async def begin(self) -> None:
        """See `CopyDestination.begin`."""
        async with self._connection.transaction() as execute:
            # Two copies at once wait for each other here.
            await execute("LOCK TABLE copies IN EXCLUSIVE MODE")
            under_way = await execute("SELECT finished FROM copies WHERE id = 1")
            if under_way and under_way[0][0]:
                raise Misconfigured(f"{self.name} is a finished copy already")
            if not under_way:
                if await execute("SELECT 1 FROM vault UNION ALL (SELECT 1 FROM records LIMIT 1)"):
                    raise Misconfigured(f"{self.name} has a vault of its own")
                await execute("INSERT INTO copies (id, finished) VALUES (1, false)")

    async def load_histories(self, record_ids: Sequence[bytes]) -> Mapping[bytes, History]:
        """See `CopyDestination.load_histories`."""
        ids = list(record_ids)
        records = {
            record_id: RecordRow(record_id=record_id, version=version, sealed=sealed)
            for record_id, version, sealed in await self._connection.read(_RECORDS, ids)
        }
        bases = {
            record_id: EventBase(record_id=record_id, version=version, chain_head=head)
            for record_id, version, head in await self._connection.read(_BASES, ids)
        }
        events: dict[bytes, list[PlacedEvent]] = defaultdict(list)
        for record_id, version, position, at, sealed in await self._connection.read(_EVENTS, ids):
            events[record_id].append(PlacedEvent(version=version, position=position, at=at, sealed=sealed))
        return {
            each: History(
                record_id=each, record=records.get(each), events=tuple(events.get(each, ())), base=bases.get(each)
            )
            for each in {*records, *bases, *events}
        }

    async def replace_histories(self, histories: Sequence[History]) -> None:
        """See `CopyDestination.replace_histories`."""
        records = [history.record for history in histories if history.record is not None]
        bases = [history.base for history in histories if history.base is not None]
        events = [(history.record_id, event) for history in histories for event in history.events]
        owners = [record_id for record_id, _ in events]
        versions = [event.version for _, event in events]
        times = [event.at for _, event in events]
        async with self._connection.transaction() as execute:
            for table in _TABLES:
                await execute(
                    f"DELETE FROM {table} WHERE record_id = ANY(%b)",  # noqa: S608  ours
                    [history.record_id for history in histories],
                )
            await execute(
                _INSERT_RECORDS,
                [row.record_id for row in records],
                [row.version for row in records],
                [row.sealed for row in records],
            )
            await execute(
                _INSERT_EVENTS,
                owners,
                versions,
                times,
                [event.sealed for _, event in events],
            )
            await execute(_INSERT_PLACES, [event.position for _, event in events], owners, versions)
            await execute(
                _INSERT_BASES,
                [base.record_id for base in bases],
                [base.version for base in bases],
                [base.chain_head for base in bases],
            )

    async def replace_vault(self, row: VaultRow, *, last_position: int) -> None:
        """See `CopyDestination.replace_vault`."""
        async with self._connection.transaction() as execute:
            await execute("DELETE FROM vault")
            await execute("INSERT INTO vault (id, version, sealed) VALUES (1, %b, %b)", row.version, row.sealed)
            await execute("UPDATE feed_end SET position = %b WHERE id = 1", last_position)

    async def load_vault(self) -> VaultRow | None:
        """See `CopyDestination.load_vault`."""
        for version, sealed in await self._connection.read("SELECT version, sealed FROM vault WHERE id = 1"):
            return VaultRow(version=version, sealed=sealed)
        return None

    async def last_position(self) -> int:
        """See `CopyDestination.last_position`."""
        [(position,)] = await self._connection.read("SELECT position FROM feed_end WHERE id = 1")
        return int(position)

    async def count_record_ids(self) -> int:
        """See `CopyDestination.count_record_ids`."""
        [(count,)] = await self._connection.read(_COUNT)
        return int(count)

    async def finish(self) -> None:
        """See `CopyDestination.finish`."""
        await self._connection.write("UPDATE copies SET finished = true WHERE id = 1")
