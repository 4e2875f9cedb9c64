"""The asynchronous client takes the same steps; its authenticator and disk do not hold up the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from google.protobuf.message import Message

from strongroom_client.async_client import AsyncVaultClient
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.clock import Millis
from strongroom_client.descriptions import Policy
from strongroom_client.errors import NoVault
from strongroom_client.memory import Mode
from strongroom_client.notices import Notice, NoticeKind, unheard
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


def client_of(vault: FakeVault, *, notify: Callable[[Notice], None] = unheard) -> AsyncVaultClient:
    return AsyncVaultClient(
        settings=VaultSettings(owner=OWNER, trust=Trust(pins=frozenset({vault.keys.fingerprint}))),
        connection=AsyncVault(vault),
        memory=FakeMemory(),
        clock=lambda: Millis(vault.now),
        notify=notify,
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


async def test_every_change_is_made_by_the_asynchronous_client_too(tmp_path: Path) -> None:
    vault, told = FakeVault(), list[Notice]()
    first, second = (InsecureSoftwareAuthenticator(state_path=tmp_path / name) for name in ("first", "second"))
    async with client_of(vault, notify=told.append) as client:
        enrolled = await client.enroll(first, user_name=ACCOUNT)
        added = await client.add_passkey(second, user_name=ACCOUNT, by=first)
        vault.record = replace(vault.record, quarantined=frozenset({added.credential_id}))
        await client.lift_quarantine(first, added.credential_id)
        policy = Policy(
            budget=3, cool_down_seconds=(), on_exhaustion="lock", releases_per_day=9, reset_grace_seconds=86_400
        )
        await client.set_policy(first, policy)
        changed = await client.set_recovery(first)
        await client.remove_passkey(second, enrolled.credential_id)
        vault.record = replace(vault.record, closed=True)
        await client.reopen_closed(changed.recovery_key)
        await client.reset()
        await client.reopen_set_aside(changed.recovery_key)
        released = await client.release(second)
        assert released.identities()[-1] == enrolled.backup_identity
        await client.rename_passkey(second, added.credential_id, "Work")
        renewed = await client.renew(second)
        assert renewed.archive_recipient == client.memory.archive_recipient
        await client.change_mode(second, Mode.VAULT_HELD)
        assert client.memory.names == {added.credential_id: "Work"}
        assert (await client.vault()).policy == policy
        assert [notice.kind for notice in told] == [NoticeKind.SET_ASIDE]
        assert client.notices == tuple(told)
        assert await client.examine_history() == ()
        assert (await client.examine_receipts()).is_sound
        assert await client.compare_receipts() == ()
