"""The keeper port over several keepers.

Each record has a keeper of its own, which remembers the row it opened last; a call goes to another one, that with the
fewest calls under way, only when its own has clearly more to do or is not well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import (
    Fault,
    KeeperUnavailable,
    OutcomeUnknown,
    StoreUnavailable,
    StrongroomError,
)
from strongroom_service.link import codec, replies
from strongroom_service.link.keeper_link import KeeperLink, LinkTimes
from strongroom_service.link.vault_opening import CommitVault, IdKey, LoadVault, VaultOpening

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply
    from strongroom_service.application.keepers import (
        AlreadyGranted,
        BegunCeremony,
        Caller,
        CommitOrder,
        Completion,
        SignedReply,
        TenantCaller,
    )
    from strongroom_service.application.rows import EventRow, FeedRow, RecordRow
    from strongroom_service.link.condition import KeeperCondition
    from strongroom_service.link.connection import KeeperConnection
    from strongroom_service.link.log import Log
    from strongroom_service.telemetry.keeper_metrics import KeeperMetrics

# How many calls more than another keeper a record's own may have under way: about what opening a row anew costs.
_PATIENCE = 3
# At start a keeper or store may only not be there yet; any other fault is there to stay.
_MAY_PASS = (KeeperUnavailable, StoreUnavailable, OutcomeUnknown)


class KeeperPool:
    """Implements `application.keepers.Keeper`. Calls are never sent twice: a lost one is KeeperUnavailable."""

    def __init__(
        self,
        *,
        paths: Sequence[Path],
        load_vault: LoadVault,
        commit_vault: CommitVault,
        times: LinkTimes,
        metrics: KeeperMetrics,
        log: Log,
        on_ready: Callable[[bool], None],
    ) -> None:
        """Make a pool over the keepers listening at `paths`; `on_ready` hears every change of `ready`."""
        self._vault = VaultOpening(load_vault=load_vault, commit_vault=commit_vault)
        self._times = times
        self._on_ready = on_ready
        self._links = [
            KeeperLink(path=path, vault=self._vault, times=times, metrics=metrics, log=log, tell=self._hear)
            for path in paths
        ]
        self._running: list[asyncio.Task[None]] = []
        self._started: asyncio.Future[None] | None = None
        self._last_error: StrongroomError | None = None
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether at least one keeper has the vault open and gave the known answer at its last probe."""
        return self._ready

    @property
    def healthy_keepers(self) -> int:
        """How many keepers have the vault open and gave the known answer at their last probe."""
        return sum(link.healthy for link in self._links)

    def count(self, has: Callable[[KeeperCondition], bool]) -> int:
        """Return how many of the connected keepers told at their last probe that they are in such a condition."""
        return sum(link.condition is not None and has(link.condition) for link in self._links)

    @property
    def id_key(self) -> IdKey:
        """What record ids are derived with.

        Raises:
            KeeperUnavailable: no keeper has opened the vault yet.
        """
        if self._vault.id_key is None:
            raise KeeperUnavailable("no keeper has opened the vault yet")
        return self._vault.id_key

    async def start(self) -> None:
        """Return once one keeper has opened the vault; the others follow.

        Raises:
            Misconfigured, TokenFault, RecordRejected: a keeper says that its keys or the vault's row are not fit.
            KeeperUnavailable: none could be reached in time.
            StoreUnavailable: the vault's row could not be read in time.
        """
        self._started = asyncio.get_running_loop().create_future()
        self._running = [asyncio.create_task(link.run()) for link in self._links]
        try:
            # A task that ends has met a bug: it never returns, and is only cancelled by `close`.
            done, _ = await asyncio.wait(
                {self._started, *self._running},
                timeout=self._times.start_timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                raise self._last_error or KeeperUnavailable("no keeper opened the vault in time")
            for ended in done:
                ended.result()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all connections; calls under way fail with KeeperUnavailable."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []

    async def describe_service(self, caller: Caller, *, nonce: bytes) -> SignedReply:
        """See the port."""
        return replies.signed_reply(await self._ask(codec.describe_service_call(caller, nonce=nonce)))

    async def describe_record(self, caller: Caller, *, nonce: bytes, row: RecordRow | None) -> SignedReply:
        """See the port."""
        return replies.signed_reply(await self._ask(codec.describe_record_call(caller, nonce=nonce, row=row), row))

    async def begin(self, caller: Caller, *, request: bytes, row: RecordRow | None) -> BegunCeremony:
        """See the port."""
        return replies.begun_ceremony(await self._ask(codec.begin_call(caller, request=request, row=row), row))

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        """See the port."""
        return replies.verdict(await self._ask(codec.judge_call(caller, completion=completion, row=row), row))

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        """See the port."""
        call = codec.fulfil_call(caller, completion=completion, row=row)
        return replies.signed_reply(await self._ask(call, row))

    async def list_events(
        self,
        caller: Caller,
        *,
        nonce: bytes,
        page_token: bytes,
        row: RecordRow | None,
        events: tuple[EventRow, ...],
        oldest: bool,
    ) -> SignedReply:
        """See the port."""
        call = codec.list_events_call(caller, nonce=nonce, page_token=page_token, row=row, events=events, oldest=oldest)
        return replies.signed_reply(await self._ask(call, row))

    async def list_tenant_events(
        self, caller: TenantCaller, *, nonce: bytes, cursor: bytes, events: tuple[FeedRow, ...], more: bool
    ) -> SignedReply:
        """See the port."""
        call = codec.list_tenant_events_call(caller, nonce=nonce, cursor=cursor, events=events, more=more)
        return replies.signed_reply(await self._ask(call))

    async def probe(self) -> None:
        """See the port."""
        replies.probed(await self._ask(codec.probe_call()))

    def _ask(self, call: KeeperCall, row: RecordRow | None = None) -> asyncio.Future[KeeperReply]:
        busy = self._least_busy()
        own = None if row is None else self._links[row.record_id[0] % len(self._links)]
        if own is not None and own.healthy and own.connection is not None and not own.connection.closed.done():
            return (own.connection if own.connection.outstanding <= busy.outstanding + _PATIENCE else busy).send(call)
        return busy.send(call)

    def _least_busy(self) -> KeeperConnection:
        best: KeeperConnection | None = None
        least = (True, 0)
        for link in self._links:
            connection = link.connection
            if connection is None or connection.closed.done():
                continue
            load = (not link.healthy, connection.outstanding)  # a keeper that failed its probe only for want of another
            if best is None or load < least:
                best, least = connection, load
        if best is None:
            raise KeeperUnavailable("no keeper is connected")
        return best

    def _hear(self, error: StrongroomError | None) -> None:
        self._last_error = error or self._last_error
        ready = any(link.healthy for link in self._links)
        if self._started is not None and not self._started.done():
            if ready:
                self._started.set_result(None)
            elif isinstance(error, Fault) and not isinstance(error, _MAY_PASS):
                self._started.set_exception(error)
        if ready != self._ready:
            self._ready = ready
            self._on_ready(ready)
