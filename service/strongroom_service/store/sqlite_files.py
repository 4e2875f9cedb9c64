"""The database file, its lock and its connections: who may open it, and with which guarantees."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIVATE = 0o600

WRITER_BUSY_SECONDS = 2.0
# Nobody makes a WAL reader wait but a recovery after a crash; the caller of a read is the event loop.
READER_BUSY_SECONDS = 0.1

_PRAGMAS = (
    # FULL: COMMIT returns after the log is on the disk. NORMAL would lose acknowledged attempts with the power.
    "PRAGMA synchronous = FULL",
    # On macOS fsync does not empty the drive's cache; these ask for what does. Without effect elsewhere.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    # An erased envelope does not linger in free pages.
    "PRAGMA secure_delete = ON",
    # Who can write the file could plant a schema that calls functions.
    "PRAGMA trusted_schema = OFF",
)
_SYNCHRONOUS_FULL = 2


@contextlib.contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Hold the exclusive right to write the database at `path`, by a lock on `<path>.lock`.

    Two processes writing one SQLite file would be safe (each change is guarded) but starve each other for seconds.
    The lock file is never removed: a process that waits on a removed file and one that makes a new one would both hold
    "the" lock. The kernel frees the lock when the process dies, however it dies.

    Raises:
        Misconfigured: another process holds it, or the directory is not fit (see `check_directory`).
    """
    check_directory(path.parent)
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise Misconfigured(f"cannot open lock file {lock_path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Misconfigured(
                f"another process holds {lock_path}: only one may write the database; stop it first"
            ) from error
        yield
    finally:
        os.close(descriptor)


def check_directory(directory: Path) -> None:
    """Refuse a directory in which somebody else could swap the database for an older copy.

    The group may write: Kubernetes gives volumes to a pod by a group of its own.

    Raises:
        Misconfigured: it does not exist, belongs to another user than this one or root, or all may write to it.
    """
    try:
        status = directory.stat()
    except FileNotFoundError as error:
        raise Misconfigured(
            f"database directory {directory} is not there: make it, owned by user {os.geteuid()}, mode 0700"
        ) from error
    except OSError as error:
        raise Misconfigured(f"database directory {directory}: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise Misconfigured(f"database directory {directory} is no directory")
    if status.st_mode & stat.S_IWOTH:
        raise Misconfigured(f"database directory {directory} must not be writable by others: chmod o-w")
    if status.st_uid not in {0, os.geteuid()}:
        raise Misconfigured(
            f"database directory {directory} belongs to user {status.st_uid}, and this runs as user {os.geteuid()}:"
            " chown it to the front's user; its schema is made and raised by `strongroomd init`"
        )


def create_private(path: Path) -> None:
    """Make sure that `path` exists and that only its owner can read it. SQLite gives -wal and -shm the same mode.

    Call it before any connection to `path` exists in this process: closing a descriptor of the file would drop the
    POSIX locks that SQLite holds on it.

    Raises:
        Misconfigured: the file can be neither made nor narrowed.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE))
        # SQLite makes the names of its logs durable, but not that of the database itself.
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise Misconfigured(f"cannot make {path}: {error.strerror}") from error
    narrow(path)


def narrow(path: Path) -> None:
    """Take from group and others what they may do with the database and its logs (a copied backup is often readable).

    Raises:
        Misconfigured: a file belongs to another user.
    """
    try:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).chmod(_PRIVATE)
    except OSError as error:
        raise Misconfigured(f"cannot make {path} private to this user: {error.strerror}") from error


def connect(path: Path, *, busy_seconds: float, any_thread: bool) -> sqlite3.Connection:
    """Open the existing database at `path` in autocommit mode, logging ahead (WAL) and syncing at every commit.

    Args:
        path: the database file.
        busy_seconds: how long a statement may wait for a lock.
        any_thread: whether the connection is handed to another thread; else sqlite3 checks that it is not.

    Raises:
        StoreUnavailable: the file cannot be opened.
        Misconfigured: there is no such file, or its file system cannot give these guarantees.
    """
    try:
        path.stat()
    except FileNotFoundError as error:
        raise Misconfigured(f"no database at {path}: run `strongroomd init`") from error
    except OSError as error:
        raise Misconfigured(
            f"{path}: {error.strerror}: user {os.geteuid()} must own the folder and the file"
        ) from error
    try:
        connection = sqlite3.connect(
            # psow=1 (the usual default, stated): nothing is written after the frame that commits; see sqlite_writer.
            f"{path.absolute().as_uri()}?mode=rw&psow=1",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=not any_thread,
        )
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    try:
        _demand_guarantees(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    except Misconfigured:
        connection.close()
        raise
    return connection


def empty_log(connection: sqlite3.Connection, path: Path) -> None:
    """Move what the write-ahead log holds into the database, sync it, and cut the log to nothing, durably.

    Afterwards no frame of a commit that failed can come back in a recovery. Done at every opening too: a recovery reads
    the log through the page cache, where pages look fine that an earlier, failed fsync never brought to the disk, and
    later commits would be built on them.

    Raises:
        StoreUnavailable: not done, by a failing disk or a reader that stays.
    """
    try:
        [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        # SQLite does not sync the cut itself. No lock is lost here: SQLite's are on the database and on -shm.
        descriptor = os.open(path.with_name(f"{path.name}-wal"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"cannot empty the log of {path}: {error}") from error
    if busy:
        raise StoreUnavailable(f"cannot empty the log of {path}: somebody keeps reading it")


def _demand_guarantees(connection: sqlite3.Connection, path: Path) -> None:
    """Set and read back: SQLite answers a pragma that it cannot fulfil with silence."""
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    [(journal_mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    [(synchronous,)] = connection.execute("PRAGMA synchronous").fetchall()
    if journal_mode != "wal" or synchronous != _SYNCHRONOUS_FULL:
        raise Misconfigured(f"{path}: this file system cannot keep a write-ahead log; use a local disk")
