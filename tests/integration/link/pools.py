"""Pools for tests: a vault in memory, and times that fit a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from strongroom_service.application.keepers import Caller
from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.errors import (
    StrongroomError,
)
from strongroom_service.link.keeper_client import KeeperPool
from strongroom_service.link.keeper_link import LinkTimes
from strongroom_service.telemetry.keeper_metrics import KeeperMetrics
from tests.fakes.log import RecordingLog
from tests.fakes.metrics import make_metrics

CALLER = Caller(account_token="token", request_id="request")
TIMES = LinkTimes(
    call_timeout_seconds=20.0,
    probe_interval_seconds=0.05,
    backoff_first_seconds=0.02,
    backoff_most_seconds=0.1,
    start_timeout_seconds=20.0,
)
IMPATIENT = LinkTimes(
    call_timeout_seconds=0.5, probe_interval_seconds=60.0, backoff_first_seconds=0.02, start_timeout_seconds=1.0
)


class Vault:
    """The vault's row in memory; `answers` are what commits meet before they are let through."""

    def __init__(self, sealed: bytes = b"vault", *answers: type[StrongroomError]) -> None:
        self.row: VaultRow | None = VaultRow(version=1, sealed=sealed)
        self.answers = list(answers)
        self.loads = 0

    async def load(self) -> VaultRow | None:
        self.loads += 1
        return self.row

    async def commit(self, row: VaultRow) -> None:
        if self.answers:
            self.row = VaultRow(version=2, sealed=b"another front's")
            raise self.answers.pop()
        self.row = row


class Switch:
    def __init__(self) -> None:
        self.heard: list[bool] = []

    def set(self, value: bool) -> None:  # noqa: FBT001  the callback's shape
        self.heard.append(value)


def pool_over(
    *paths: Path,
    vault: Vault | None = None,
    times: LinkTimes = TIMES,
    ready: Switch | None = None,
    log: RecordingLog | None = None,
    metrics: KeeperMetrics | None = None,
) -> KeeperPool:
    vault = vault or Vault()
    return KeeperPool(
        paths=paths,
        load_vault=vault.load,
        commit_vault=vault.commit,
        times=times,
        metrics=metrics or make_metrics().keepers,
        log=log or RecordingLog(),
        on_ready=(ready or Switch()).set,
    )


@asynccontextmanager
async def started(pool: KeeperPool) -> AsyncIterator[KeeperPool]:
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def told(pool: KeeperPool, what: str = "pid") -> int:
    return int((await pool.describe_service(CALLER, nonce=what.encode())).reply)


def both_in_use(pool: KeeperPool) -> bool:
    return all(link.connection is not None for link in pool._links)  # noqa: SLF001  no caller needs to know
