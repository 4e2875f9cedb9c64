"""Group commit: all changes that wait go to PostgreSQL in one statement, over a few connections."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from strongroom_service.application.rows import Change, VaultRow
from strongroom_service.domain.errors import OutcomeUnknown, StoreUnavailable, StrongroomError, VersionConflict
from strongroom_service.store.postgres_errors import Refused, RolledBack
from strongroom_service.store.postgres_statements import BEGIN_VAULT, COMMIT_CHANGES, REPLACE_VAULT, columns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from strongroom_service.store.postgres_connection import PostgresConnection

Answer: TypeAlias = StrongroomError | None
Row: TypeAlias = Change | VaultRow
ObserveCommit: TypeAlias = "Callable[[float, int], None]"

Result = TypeVar("Result")

_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.01
_MAX_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: Row
    answered: asyncio.Future[None]


class PostgresWriter:
    """A task per connection; each takes all that waits, commits it, and answers it. Belongs to the running loop.

    Callers wait for futures: one that gives up gives up the answer, never the commit.
    """

    def __init__(
        self,
        connections: Sequence[PostgresConnection],
        *,
        max_waiting: int,
        observe_commit: ObserveCommit | None,
    ) -> None:
        self._max_waiting = max_waiting
        self._observe_commit = observe_commit
        self._queue: deque[_Waiting] = deque()
        self._unanswered = 0
        self._closed = False
        self._changing: set[bytes] = set()
        self._idle: deque[PostgresConnection] = deque(connections)
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, row: Row) -> asyncio.Future[None]:
        """Queue `row` and return the answer to come. What was queued will be committed, even if that is cancelled.

        Raises:
            StoreUnavailable: closed, or too many wait already.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._unanswered >= self._max_waiting:
            raise StoreUnavailable(f"{self._unanswered} changes wait for the database already")
        self._unanswered += 1
        waiting = _Waiting(row=row, answered=asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._idle:
            task = asyncio.create_task(self._run(self._idle.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return waiting.answered

    def close(self) -> None:
        """Take nothing more; what was queued is still committed and answered. Idempotent."""
        self._closed = True
        for connection in self._idle:
            connection.close()

    async def drain(self) -> None:
        """Wait until everything that was queued has its answer."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self, connection: PostgresConnection) -> None:
        while batch := self._next_batch():
            started = time.perf_counter()
            answers = await self._commit(connection, [waiting.row for waiting in batch])
            self._unanswered -= len(batch)
            if self._observe_commit is not None:
                self._observe_commit(time.perf_counter() - started, len(batch))
            for waiting, answer in zip(batch, answers, strict=True):
                self._changing.discard(_key(waiting.row))
                _tell(waiting, answer)
        self._idle.append(connection)
        if self._closed:
            connection.close()

    def _next_batch(self) -> list[_Waiting]:
        """Take what waits, but each row only once and not while it is being changed: its changes keep their order."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        while self._queue and len(batch) < _MAX_BATCH:
            waiting = self._queue.popleft()
            key = _key(waiting.row)
            if key in self._changing:
                left.append(waiting)
            else:
                self._changing.add(key)
                batch.append(waiting)
        self._queue.extendleft(reversed(left))
        return batch

    async def _commit(self, connection: PostgresConnection, rows: Sequence[Row]) -> list[Answer]:
        """Commit `rows` and return an answer for each, in order: None for "durable", else why not."""
        changes = [row for row in rows if isinstance(row, Change)]
        answers = dict(zip(map(_key, changes), await _answers(connection, changes), strict=True))
        return [
            answers[row.record_id] if isinstance(row, Change) else await _answer_of(_commit_vault(connection, row))
            for row in rows
        ]


async def _answers(connection: PostgresConnection, changes: Sequence[Change]) -> list[Answer]:
    if not changes:
        return []
    written: set[bytes] = set()

    async def commit_all() -> None:
        written.update(await _retried(lambda: _commit_changes(connection, changes)))

    failure = await _answer_of(commit_all())
    if isinstance(failure, Refused) and len(changes) > 1:
        # Whichever row it was that the database refused: it must not take its neighbours with it.
        return [(await _answers(connection, [change]))[0] for change in changes]
    if failure is not None:
        return [failure] * len(changes)
    return [None if each.record_id in written else VersionConflict("the row is at another version") for each in changes]


async def _commit_changes(connection: PostgresConnection, changes: Sequence[Change]) -> list[bytes]:
    [(names, synchronous, written)] = await connection.write(COMMIT_CHANGES, *columns(changes))
    connection.demand_standbys(names=names, synchronous=synchronous)
    return list(written)


async def _commit_vault(connection: PostgresConnection, row: VaultRow) -> None:
    if row.version == 1:
        done = await _retried(lambda: connection.write(BEGIN_VAULT, row.version, row.sealed))
    else:
        done = await _retried(lambda: connection.write(REPLACE_VAULT, row.version, row.sealed, row.version - 1))
    if not done:
        raise VersionConflict("the row is at another version")
    [(names, synchronous)] = done
    connection.demand_standbys(names=names, synchronous=synchronous)


async def _retried(transaction: Callable[[], Awaitable[Result]]) -> Result:
    """Run a transaction again, a few times, while the database rolls it back in favour of others."""
    for attempt in range(_ATTEMPTS):
        try:
            return await transaction()
        except RolledBack:
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311  spreads load, no secret
    raise StoreUnavailable(f"rolled back {_ATTEMPTS} times in favour of other transactions")


async def _answer_of(doing: Awaitable[None]) -> Answer:
    try:
        await doing
    except StrongroomError as error:
        return error
    except Exception as error:  # noqa: BLE001  a defect here must not leave callers waiting for ever
        return OutcomeUnknown(f"the writer failed: {type(error).__name__}: {error}")
    return None


def _key(row: Row) -> bytes:
    return row.record_id if isinstance(row, Change) else b"vault"


def _tell(waiting: _Waiting, answer: Answer) -> None:
    if waiting.answered.done():  # given up by its caller
        return
    if answer is None:
        waiting.answered.set_result(None)
    else:
        waiting.answered.set_exception(type(answer)(*answer.args))  # each caller's traceback is its own
