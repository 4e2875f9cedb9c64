"""The one writer: a thread that commits everything that waits in one transaction, and answers it all at once."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from strongroom_service.domain.errors import Fault, OutcomeUnknown, StoreUnavailable, StrongroomError, VersionConflict
from strongroom_service.store.sqlite_files import empty_log
from strongroom_service.store.sqlite_statements import Row, write_all, write_row

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from pathlib import Path

Answer: TypeAlias = StrongroomError | None
ObserveCommit: TypeAlias = "Callable[[float, int], None]"


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: Row
    answered: asyncio.Future[None]


class GroupWriter:
    """Owner of the writing connection and its thread.

    While one transaction syncs, the next gathers: no timer, no delay for a lone change, and one wake-up of the event
    loop a batch. All methods belong to the thread of `loop`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        max_waiting: int,
        observe_commit: ObserveCommit | None,
    ) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._observe_commit = observe_commit
        self._transactions = _Transactions(connection, path=path)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._unanswered = 0
        self._closed = False
        # A daemon: a process that ends without `close` must not hang, and loses nothing that was acknowledged.
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, row: Row) -> asyncio.Future[None]:
        """Queue `row` and return the answer to come. What was queued will be committed, even if that is cancelled.

        Raises:
            StoreUnavailable: closed, or too many wait already.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._unanswered >= self._max_waiting:
            raise StoreUnavailable(f"{self._unanswered} changes wait for the disk already")
        self._unanswered += 1
        waiting = _Waiting(row=row, answered=self._loop.create_future())
        self._queue.put(waiting)
        return waiting.answered

    def close(self) -> None:
        """Commit what waits, close the connection and end the thread. Answers still reach the loop. Idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            batch, last = self._next_batch()
            if batch:
                started = time.perf_counter()
                answers = self._transactions.commit([waiting.row for waiting in batch])
                seconds = time.perf_counter() - started
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
                    self._loop.call_soon_threadsafe(self._answer, batch, answers, seconds)
        self._transactions.close()

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """Return all that wait (at least one, unless closing), and whether it was the last batch."""
        batch: list[_Waiting] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch.append(waiting)
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _answer(self, batch: Sequence[_Waiting], answers: Sequence[Answer], seconds: float) -> None:
        self._unanswered -= len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answered.done():  # cancelled by its caller
                continue
            if answer is None:
                waiting.answered.set_result(None)
            else:
                waiting.answered.set_exception(answer)
        if self._observe_commit is not None:
            self._observe_commit(seconds, len(batch))


class _Transactions:
    """Batches of rows, each in one transaction; lives in the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, *, path: Path) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._path = path
        self._in_doubt = False

    def close(self) -> None:
        self._connection.close()

    def commit(self, rows: Sequence[Row]) -> list[Answer]:
        """Commit `rows` and return an answer for each, in order: None for "durable", else why not."""
        try:
            return self._commit(rows)
        except Fault as fault:
            return [type(fault)(*fault.args) for _ in rows]
        except Exception as error:  # noqa: BLE001  a defect here must not leave every later caller waiting for ever
            self._in_doubt = True
            return [OutcomeUnknown(f"the writer failed: {type(error).__name__}: {error}") for _ in rows]

    def _commit(self, rows: Sequence[Row]) -> list[Answer]:
        try:
            self._begin()
            answers = self._write(rows)
        except sqlite3.Error as error:
            # Frames may be in the log already, but not the one that commits: certainly nothing was written.
            self._connection.rollback()
            raise StoreUnavailable(f"not committed: {_describe(error)}") from error
        try:
            self._cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._explain_failed_commit(error)
        return answers

    def _begin(self) -> None:
        if self._in_doubt:
            self._connection.rollback()
            empty_log(self._connection, self._path)
            self._in_doubt = False
        self._cursor.execute("BEGIN IMMEDIATE")

    def _write(self, rows: Sequence[Row]) -> list[Answer]:
        with contextlib.suppress(Exception):  # whichever row it was, writing them in turn finds it
            if write_all(self._cursor, rows):
                return [None] * len(rows)
        self._connection.rollback()
        self._cursor.execute("BEGIN IMMEDIATE")
        return [self._write_alone(row) for row in rows]

    def _write_alone(self, row: Row) -> Answer:
        """Write one row so that its failure leaves its neighbours' writes standing."""
        answer: Answer = None
        self._cursor.execute("SAVEPOINT one_row")
        try:
            if not write_row(self._cursor, row):
                answer = VersionConflict("the row is at another version")
        except Exception as error:  # noqa: BLE001  also what is no sqlite3.Error: a number too large for a column
            # Fails, and with it the whole batch, when the database has ended the transaction on its own (disk full).
            self._cursor.execute("ROLLBACK TO one_row")
            answer = StoreUnavailable(f"refused: {_describe(error)}")
        self._cursor.execute("RELEASE one_row")
        return answer

    def _explain_failed_commit(self, error: sqlite3.Error) -> None:
        """Raise what is known of a transaction whose COMMIT failed.

        The log takes the frame that commits last, and syncs it. "Full" means the disk did not take all of it: certainly
        not committed. After any other error that frame may be in the file, unsynced: this process will not see it, but
        a recovery after a crash would. So the log is emptied at once, which makes room on a full disk too. Only when
        that fails is the outcome unknown, and nothing more is written until the log has been emptied.

        Raises:
            StoreUnavailable: nothing was written, now and after any crash.
            OutcomeUnknown: the batch may come to life in a recovery.
        """
        self._connection.rollback()
        message = f"COMMIT failed: {_describe(error)}"
        try:
            empty_log(self._connection, self._path)
        except StoreUnavailable as unavailable:
            if _primary_code(error) != sqlite3.SQLITE_FULL:
                self._in_doubt = True
                raise OutcomeUnknown(f"{message}; {unavailable}") from error
        raise StoreUnavailable(message) from error


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without the extension in the higher bits; 0 for an error of the Python module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _describe(error: Exception) -> str:
    return f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
