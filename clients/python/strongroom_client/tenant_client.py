"""The client of a tenant: what its accounts' vaults go through, and the erasure of an account. It sees no envelope."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from strongroom_client.clock import Clock, system_clock
from strongroom_client.flows.tenants import (
    Erasure,
    FeedPage,
    TenantSession,
    cancel_erase_account,
    erase_account,
    list_tenant_events,
)
from strongroom_client.running import run, run_async
from strongroom_client.steps import Call, Flow, Pause, Step
from strongroom_client.transport import AsyncConnection, Connection
from strongroom_client.verification.bundles import Trust

_Result = TypeVar("_Result")


class TenantClient:
    """A tenant's calls, one at a time; every answer's receipt is checked against the pinned identity keys.

    The connection needs a tenant token (scopes `feed` and `erase`), and an account token of any of the tenant's
    accounts, with which it asks for the vault's keys and nothing else. Raises StrongroomError as errors.py draws it.
    """

    def __init__(
        self,
        *,
        tenant: str,
        trust: Trust,
        connection: Connection,
        clock: Clock = system_clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._pause = pause
        self._session = TenantSession(tenant=tenant, trust=trust, clock=clock, random=secrets.token_bytes)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def page(self, cursor: bytes = b"") -> FeedPage:
        """Return the page of the feed that begins at `cursor`."""
        return self._run(list_tenant_events(self._session, cursor=cursor))

    def pages(self, cursor: bytes = b"") -> Iterator[FeedPage]:
        """Return pages from `cursor` on, until there is no more for now."""
        more = True
        while more:
            page = self.page(cursor)
            cursor, more = page.next_cursor, page.more
            yield page

    def erase_account(self, account: str) -> Erasure:
        """Have an account erased after the wait, which the account is shown."""
        return self._run(erase_account(self._session, account))

    def cancel_erase_account(self, account: str) -> Erasure:
        """Take the erasure of an account back."""
        return self._run(cancel_erase_account(self._session, account))

    def _run(self, flow: Flow[_Result]) -> _Result:
        with self._one_at_a_time:
            return run(flow, self._take)

    def _take(self, step: Step) -> object:
        match step:
            case Call(rpc, request):
                return self._connection.call(rpc, request)
            case Pause(seconds):
                self._pause(seconds)
                return None
            case _:
                raise TypeError("a tenant has no device")


class AsyncTenantClient:
    """As TenantClient, method for method, for asyncio."""

    def __init__(self, *, tenant: str, trust: Trust, connection: AsyncConnection, clock: Clock = system_clock) -> None:
        self._connection = connection
        self._session = TenantSession(tenant=tenant, trust=trust, clock=clock, random=secrets.token_bytes)
        self._one_at_a_time = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def page(self, cursor: bytes = b"") -> FeedPage:
        """Return the page of the feed that begins at `cursor`."""
        return await self._run(list_tenant_events(self._session, cursor=cursor))

    async def pages(self, cursor: bytes = b"") -> AsyncIterator[FeedPage]:
        """Return pages from `cursor` on, until there is no more for now."""
        more = True
        while more:
            page = await self.page(cursor)
            cursor, more = page.next_cursor, page.more
            yield page

    async def erase_account(self, account: str) -> Erasure:
        """Have an account erased after the wait, which the account is shown."""
        return await self._run(erase_account(self._session, account))

    async def cancel_erase_account(self, account: str) -> Erasure:
        """Take the erasure of an account back."""
        return await self._run(cancel_erase_account(self._session, account))

    async def _run(self, flow: Flow[_Result]) -> _Result:
        async with self._one_at_a_time:
            return await run_async(flow, self._take)

    async def _take(self, step: Step) -> object:
        match step:
            case Call(rpc, request):
                return await self._connection.call(rpc, request)
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case _:
                raise TypeError("a tenant has no device")
