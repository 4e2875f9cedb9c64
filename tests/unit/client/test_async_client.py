"""The asynchronous client takes the same steps; its authenticator and disk do not hold up the loop."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.message import Message

from strongroom_client.async_client import AsyncVaultClient
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.clock import Millis
from strongroom_client.errors import NoVault
from strongroom_client.session import VaultSettings
from strongroom_client.steps import Rpc
from strongroom_client.verification.bundles import Trust
from tests.fakes.client import OWNER, CountingAuthenticator, FakeMemory
from tests.fakes.vault import ACCOUNT, FakeVault


@dataclass
class AsyncVault:
    """A FakeVault as an AsyncConnection."""

    vault: FakeVault

    async def call(self, rpc: Rpc, request: Message) -> Message:
        await asyncio.sleep(0)
        return self.vault.call(rpc, request)

    async def close(self) -> None:
        """Nothing to close."""


def client_of(vault: FakeVault) -> AsyncVaultClient:
    return AsyncVaultClient(
        settings=VaultSettings(owner=OWNER, trust=Trust(pins=frozenset({vault.keys.fingerprint}))),
        connection=AsyncVault(vault),
        memory=FakeMemory(),
        clock=lambda: Millis(vault.now),
    )


async def test_whole_life_of_a_vault(tmp_path: Path) -> None:
    vault = FakeVault()
    authenticator = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"))
    async with client_of(vault) as client:
        assert (await client.service_info()).rp_id == "vault.example"
        enrolled = await client.enroll(authenticator, user_name=ACCOUNT)
        released = await client.release(authenticator)
        assert released.identities() == (enrolled.backup_identity,)
        await client.store_envelope(authenticator, released.opened[0].content)
        by_recovery = await client.release_with_recovery_key(enrolled.recovery_key)
        assert by_recovery.identities() == (enrolled.backup_identity,)
        assert (await client.vault()).state == "live"
        await client.delete(authenticator)
        assert len(await client.history()) == client.memory.position.version == 7
        with pytest.raises(NoVault):
            await client.release(authenticator)
        assert (await client.accept_older_vault()).contested is None
    assert authenticator.threads
    assert threading.get_ident() not in authenticator.threads


async def test_operations_wait_for_one_another(tmp_path: Path) -> None:
    vault = FakeVault()
    authenticator = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"))
    async with client_of(vault) as client:
        await client.enroll(authenticator, user_name=ACCOUNT)
        await asyncio.gather(*(client.release(authenticator) for _ in range(3)))
    assert authenticator.prompts == 6
