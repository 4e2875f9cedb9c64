"""A process that commits until it is killed, or until its disk is full. Run by test_store_sqlite.py."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path

from strongroom_service.application.rows import Change
from strongroom_service.domain.errors import OutcomeUnknown, StoreUnavailable
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteStore

CALLERS = 16
LIMIT_BYTES = 2 << 20
# As large as the log can have grown: what it holds must find room in the database once the ballast is gone.
BALLAST_BYTES = 3 << 20


def change(number: int, version: int) -> Change:
    record_id = hashlib.sha256(b"account %d" % number).digest()
    sealed = hashlib.sha256(record_id + version.to_bytes(16, "big")).digest()
    return Change(
        record_id=record_id, version=version, at=version, sealed_record=sealed * 96, sealed_event=sealed[::-1] * 64
    )


async def commit_until_killed(path: Path, *, acknowledgements: int, too_early: bool) -> None:
    """Tell each acknowledged (number, version) on standard output, and die right after the last of them."""
    store = SqliteStore.open(path)
    told = 0

    def acknowledge(number: int, version: int) -> None:
        nonlocal told
        os.write(1, b"%d %d\n" % (number, version))
        told += 1
        if told == acknowledgements:
            os.kill(os.getpid(), signal.SIGKILL)

    async def caller(number: int) -> None:
        row = await store.load_record(change(number, 1).record_id)
        version = 0 if row is None else row.version
        while True:
            version += 1
            if too_early:
                acknowledge(number, version)
            await store.commit(change(number, version))
            if not too_early:
                acknowledge(number, version)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))


class Ledger:
    """What the store said of each change, to be compared with what is there in the end."""

    def __init__(self) -> None:
        self.said: dict[tuple[int, int], str] = {}

    async def commit(self, store: SqliteStore, number: int, version: int) -> None:
        try:
            await store.commit(change(number, version))
        except StoreUnavailable:
            self.said[number, version] = "refused"
        except OutcomeUnknown:
            self.said[number, version] = "unknown"
        else:
            self.said[number, version] = "acknowledged"

    async def findings(self, store: SqliteStore) -> dict[str, int]:
        found = Counter(self.said.values())
        for (number, version), said in self.said.items():
            events = await store.load_events(change(number, 1).record_id, before_version=version + 1, limit=1)
            stands = any(event.version == version for event in events)
            row = await store.load_record(change(number, 1).record_id)
            assert stands == (row is not None and row.version >= version), "record and event part ways"
            found["lost"] += said == "acknowledged" and not stands
            found["phantom"] += said == "refused" and stands
        return found


async def fill_the_disk(path: Path, *, batch: int, limit: str) -> None:
    """Commit until the disk is full, and on; then make room and go on without opening again. Prints the findings."""
    migrate(path)
    usual_limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ballast = path.with_name("ballast")
    ballast.write_bytes(bytes(BALLAST_BYTES))
    if limit == "file-size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, usual_limits[1]))
    store = SqliteStore.open(path)
    ledger = Ledger()
    for first in range(0, 1600, batch):
        await asyncio.gather(*(ledger.commit(store, number, 1) for number in range(first, first + batch)))
        await store.check()
        await store.load_record(change(0, 1).record_id)
    full = Counter(ledger.said.values())
    ballast.unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, usual_limits)
    for number in range(2000, 2010):
        await ledger.commit(store, number, 1)
    after = Counter(ledger.said.values()) - full
    store.close()
    reopened = SqliteStore.open(path)
    sys.stdout.write(json.dumps({"after": after, **await ledger.findings(reopened)}))
    reopened.close()


async def fail_beside_a_reader_that_stays(path: Path) -> None:
    """Let a COMMIT fail while a reader keeps the log from being emptied. Prints what three callers were told."""
    usual_limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = SqliteStore.open(path)
    ledger = Ledger()
    await ledger.commit(store, 0, 1)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM records").fetchall()
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, usual_limits[1]))
    await ledger.commit(store, 1, 1)
    await ledger.commit(store, 2, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, usual_limits)
    reader.close()
    await ledger.commit(store, 3, 1)
    sys.stdout.write(json.dumps({"told": list(ledger.said.values()), **await ledger.findings(store)}))
    store.close()


def main() -> None:
    task, path, *arguments = sys.argv[1:]
    if task == "stay":
        asyncio.run(fail_beside_a_reader_that_stays(Path(path)))
    elif task == "full":
        [batch, limit] = arguments
        asyncio.run(fill_the_disk(Path(path), batch=int(batch), limit=limit))
    else:
        [acknowledgements] = arguments
        too_early = task == "too-early"
        asyncio.run(commit_until_killed(Path(path), acknowledgements=int(acknowledgements), too_early=too_early))


if __name__ == "__main__":
    main()
