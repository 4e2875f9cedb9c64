"""One keeper, kept in reach: connect, open the vault, probe, and after every loss begin anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, NoReturn

from strongroom_service.domain.errors import StrongroomError, TokenFault
from strongroom_service.link import codec, replies
from strongroom_service.link.connection import KeeperConnection, connect

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.link.condition import KeeperCondition
    from strongroom_service.link.log import Log
    from strongroom_service.link.vault_opening import VaultOpening
    from strongroom_service.telemetry.keeper_metrics import KeeperMetrics

_chance = SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTimes:
    """How patient the front is, in seconds.

    Attributes:
        call_timeout_seconds: for each call; 1 to 2 for a token in this machine, 5 over a network.
        probe_interval_seconds: between known-answer operations on each keeper.
        reopen_interval_seconds: between openings of the vault, by which keepers learn of changed keys, and a key bundle
            that is due gets renewed.
        backoff_first_seconds: wait after the first failure to reach a keeper; doubles, with jitter.
        backoff_most_seconds: where it stops doubling.
        start_timeout_seconds: until one keeper must have opened the vault after `KeeperPool.start`.
    """

    call_timeout_seconds: float = 5.0
    probe_interval_seconds: float = 2.0
    reopen_interval_seconds: float = 3600.0
    backoff_first_seconds: float = 0.1
    backoff_most_seconds: float = 2.0
    start_timeout_seconds: float = 30.0


class KeeperLink:
    """The way to one keeper.

    Attributes:
        connection: set while the vault is open on it, so while it can take calls.
        condition: what the keeper told of itself with the last probe on `connection`; None before the first.
        healthy: whether the last probe on `connection` gave the known answer.
    """

    def __init__(
        self,
        *,
        path: Path,
        vault: VaultOpening,
        times: LinkTimes,
        metrics: KeeperMetrics,
        log: Log,
        tell: Callable[[StrongroomError | None], None],
    ) -> None:
        """Args as the names say; `tell` hears None at every change of health, or why the vault could not be opened."""
        self._path = path
        self._vault = vault
        self._times = times
        self._metrics = metrics
        self._log = log
        self._tell = tell
        self.connection: KeeperConnection | None = None
        self.condition: KeeperCondition | None = None
        self.healthy = False

    async def run(self) -> NoReturn:
        """Keep the keeper in reach until cancelled."""
        wait = self._times.backoff_first_seconds
        lost = False
        while True:
            try:
                connection = await self._open()
                if lost:
                    self._metrics.restart()
                lost = True
                await self._use(connection)
                wait = self._times.backoff_first_seconds
            except StrongroomError as error:
                self._log.error("keeper_not_opened", keeper=self._path.name, error=type(error).__name__, why=str(error))
                self._count(error)
                self._tell(error)
            # Jitter: fronts that lost the same keeper together do not all come back at once.
            await asyncio.sleep(_chance.uniform(0.5, 1.0) * wait)
            wait = min(wait * 2, self._times.backoff_most_seconds)

    async def _open(self) -> KeeperConnection:
        connection = await connect(self._path, timeout_seconds=self._times.call_timeout_seconds)
        try:
            await self._vault.open(connection)
        except BaseException:
            connection.end("the vault was not opened on this connection")
            raise
        return connection

    async def _use(self, connection: KeeperConnection) -> None:
        """Offer `connection` for calls until it ends, probing it and opening the vault again now and then."""
        self.connection = connection
        self._log.info("keeper_opened", keeper=self._path.name)
        try:
            self._set_health(healthy=True)
            loop = asyncio.get_running_loop()
            reopen_at = loop.time() + self._times.reopen_interval_seconds
            while not await _ended_within(connection, self._times.probe_interval_seconds):
                await self._check(connection, reopen=loop.time() >= reopen_at)
                if loop.time() >= reopen_at:
                    reopen_at = loop.time() + self._times.reopen_interval_seconds
            self._log.error("keeper_lost", keeper=self._path.name, why=connection.closed.result())
        finally:
            self.connection = self.condition = None
            connection.end("the front lets go of this connection")
            self._set_health(healthy=False)

    async def _check(self, connection: KeeperConnection, *, reopen: bool) -> None:
        try:
            self._take(replies.probed(await connection.send(codec.probe_call())))
            if reopen:
                await self._vault.open(connection)
        except StrongroomError as error:
            # The connection stays: the keeper itself says what is wrong, and other calls may still do.
            self._log.error("keeper_unwell", keeper=self._path.name, error=type(error).__name__, why=str(error))
            self._count(error)
            self._set_health(healthy=False)
        else:
            self._set_health(healthy=True)

    def _take(self, condition: KeeperCondition) -> None:
        self.condition = condition
        self._metrics.count_operations(condition.token_operations)
        for each in condition.epochs:
            self._metrics.set_epoch(each.use, epoch=each.epoch, created_at_seconds=each.created_at_ms / 1_000)

    def _count(self, error: StrongroomError) -> None:
        if isinstance(error, TokenFault):
            self._metrics.fail_token()

    def _set_health(self, *, healthy: bool) -> None:
        if healthy != self.healthy:
            self.healthy = healthy
            self._tell(None)


async def _ended_within(connection: KeeperConnection, seconds: float) -> bool:
    await asyncio.wait({connection.closed}, timeout=seconds)
    return connection.closed.done()
