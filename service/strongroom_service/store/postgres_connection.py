"""One connection to PostgreSQL: fit to decide on, checked at every opening, and honest about what it does not know."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol

import psycopg
from psycopg import AsyncConnection

from strongroom_service.domain.errors import Misconfigured, OutcomeUnknown, StoreUnavailable
from strongroom_service.store.postgres_errors import describe, translate
from strongroom_service.store.postgres_schema import refuse_unknown_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from strongroom_service.store.postgres_rules import PostgresRules

_SETTINGS: Final = """
SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
       current_setting('fsync'), current_setting('full_page_writes')
"""
# Locking a row writes to the log, so that this transaction's commit waits for the standbys like any other, and with it
# everything that was written before it.
_UNTIL_DURABLE: Final = "SELECT version FROM vault WHERE id = 1 FOR UPDATE"


class Execute(Protocol):
    """One statement inside a transaction."""

    async def __call__(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return its rows."""


class PostgresConnection:
    """A connection that is opened when needed and dropped at the first doubt. One statement at a time."""

    def __init__(self, rules: PostgresRules, *, copying: bool = False) -> None:
        """`copying`: to a database where a copy is under way, as what copies."""
        self._rules = rules
        self._copying = copying
        self._connection: AsyncConnection[tuple[Any, ...]] | None = None
        self._doubt: str | None = None
        self._under_way = False
        self._closed = False

    async def open(self) -> None:
        """Connect, unless connected already, and check that this database is fit to decide on.

        Raises:
            Misconfigured: it answers, but is not what the rules ask for, or not of a known schema.
            StoreUnavailable: it cannot be reached.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._connection is not None and _has_ended(self._connection):
            self.drop()
        if self._connection is not None:
            return
        self._connection = await self._connect()
        try:
            await self._demand_guarantees()
        except OutcomeUnknown as unknown:  # of nothing that a caller asked for
            self.drop()
            raise StoreUnavailable(f"no standby confirmed what is to be read here: {unknown}") from unknown
        except BaseException:
            self.drop()
            raise

    async def read(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that changes nothing.

        Raises:
            StoreUnavailable: no answer.
        """
        try:
            await self.open()
            return await self._execute(query, parameters)
        except (Misconfigured, OutcomeUnknown) as error:
            raise StoreUnavailable(f"cannot read: {error}") from error

    async def write(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of one statement that is a transaction of its own, durable once this returns.

        Raises:
            RolledBack: in favour of another transaction.
            StoreUnavailable: rolled back, or never sent.
            OutcomeUnknown: it may have been committed, or may yet be lost.
        """
        await self._open_to_write()
        rows = await self._execute(query, parameters)
        self._raise_doubt()
        return rows

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Execute]:
        """Commit what is executed inside, durably; nothing of it if it raises. Raises as `write`."""
        await self._open_to_write()
        await self._execute("BEGIN", ())
        try:
            yield self._execute_one
            await self._demand_fit_to_commit()
            await self._execute("COMMIT", ())
        except BaseException:
            self.drop()  # which rolls back
            raise
        self._raise_doubt()

    async def _demand_fit_to_commit(self) -> None:
        try:
            await self._demand_settings()
        except Misconfigured as weakened:
            raise StoreUnavailable(f"not fit to commit: {weakened}") from weakened

    async def check(self) -> None:
        """Return if the database answers and is, now too, fit to decide on.

        Raises:
            StoreUnavailable: it does not, or is not.
        """
        try:
            await self.open()
            await self._demand_settings()
        except (Misconfigured, OutcomeUnknown) as error:
            raise StoreUnavailable(f"not fit to serve: {error}") from error

    def demand_standbys(self, *, names: str, synchronous: str) -> None:
        """Check the settings that a commit was made under, as it read them: they may change under a connection.

        Raises:
            OutcomeUnknown: the commit was not waited for as the rules ask.
        """
        try:
            self._rules.check_standbys(names=names, synchronous=synchronous)
        except Misconfigured as weakened:
            self.drop()
            raise OutcomeUnknown(f"committed, but {weakened}") from weakened

    def drop(self) -> None:
        """Close the connection without a word to the server: a cancelled commit would look like a durable one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.pgconn.finish()

    def close(self) -> None:
        """Close for good. What is under way learns that its outcome is unknown. Idempotent."""
        self._closed = True
        if self._connection is not None and self._under_way:
            _hang_up(self._connection)  # who waits there drops it
        else:
            self.drop()

    async def _connect(self) -> AsyncConnection[tuple[Any, ...]]:
        try:
            connection = await AsyncConnection.connect(
                self._rules.complete_conninfo, autocommit=True, prepare_threshold=0, target_session_attrs="read-write"
            )
        except (psycopg.Error, OSError) as error:
            raise StoreUnavailable(f"cannot connect: {describe(error)}") from error
        connection.add_notice_handler(self._note)
        return connection

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        """Hear what the server says beside its answers.

        "Canceling wait for synchronous replication" comes as a warning (01000) beside an answer that says success: the
        commit stands on this server alone, and a failover loses it. Any warning is doubt: we cause none ourselves.
        """
        if notice.severity_nonlocalized in {"WARNING", None}:
            self._doubt = f"the server warned ({notice.sqlstate}): {notice.message_primary}"

    async def _open_to_write(self) -> None:
        try:
            await self.open()
        except Misconfigured as error:
            raise StoreUnavailable(f"not fit to commit: {error}") from error
        self._doubt = None

    def _raise_doubt(self) -> None:
        if self._doubt is not None:
            doubt, self._doubt = self._doubt, None
            self.drop()
            raise OutcomeUnknown(doubt)

    async def _demand_guarantees(self) -> None:
        await self._demand_settings()
        await refuse_unknown_schema(self._execute, copying=self._copying)
        # A server that came back after a crash shows commits which no standby has, so that a failover would take back
        # what was read. After this one everything to be seen is on the standbys.
        self._doubt = None
        await self._execute(_UNTIL_DURABLE, ())
        self._raise_doubt()

    async def _demand_settings(self) -> None:
        [(standby, synchronous, names, fsync, full_pages)] = await self._execute(_SETTINGS, ())
        if standby:
            raise Misconfigured("this server is a standby: it cannot decide")
        if fsync != "on" or full_pages != "on":
            raise Misconfigured("fsync and full_page_writes must be on: a crash would lose acknowledged attempts")
        self._rules.check_standbys(names=names, synchronous=synchronous)

    async def _execute_one(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return await self._execute(query, parameters)

    async def _execute(self, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Send one statement and wait for its end.

        In a task of its own, shielded: psycopg answers cancellation by cancelling the statement in the server, which
        would end a wait for the standbys as if it had been successful.

        Raises:
            StoreUnavailable: rolled back, or never sent.
            OutcomeUnknown: no answer in time, or the connection was lost.
        """
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("not connected")
        running = asyncio.create_task(_fetch(connection, query, parameters))
        self._under_way = True
        try:
            done, _ = await asyncio.wait({running}, timeout=self._rules.deadline_seconds)
        except asyncio.CancelledError:
            await self._give_up(connection, running)
            raise
        finally:
            self._under_way = False
        if not done:
            await self._give_up(connection, running)
            raise OutcomeUnknown(f"no answer within {self._rules.deadline_seconds} s")
        try:
            return running.result()
        except psycopg.Error as error:
            fault = translate(error)
            if isinstance(fault, OutcomeUnknown):
                self.drop()
            raise fault from error
        finally:
            if self._closed:
                self.drop()

    async def _give_up(self, connection: AsyncConnection[Any], running: asyncio.Task[Any]) -> None:
        _hang_up(connection)
        with contextlib.suppress(BaseException):
            await asyncio.wait({running})
            running.exception()
        self.drop()


async def _fetch(
    connection: AsyncConnection[tuple[Any, ...]], query: str, parameters: Sequence[object]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(query, parameters, binary=True)
    return await cursor.fetchall() if cursor.description else []


def _has_ended(connection: AsyncConnection[Any]) -> bool:
    """Whether the server has hung up while nobody asked it anything: found before a statement is sent in vain."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    try:
        while waiting.poll(0):  # a farewell and the end after it; or a setting that changed, which is no end
            connection.pgconn.consume_input()
    except psycopg.Error:
        return True
    return connection.broken


def _hang_up(connection: AsyncConnection[Any]) -> None:
    """End the connection so that whoever waits on it wakes up with an error, where closing its number would not."""
    with contextlib.suppress(OSError, psycopg.Error):
        descriptor = os.dup(connection.fileno())
        with socket.socket(fileno=descriptor) as end:
            end.shutdown(socket.SHUT_RDWR)
