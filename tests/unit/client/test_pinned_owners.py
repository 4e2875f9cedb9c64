"""Clients that pin the vault's owners: all of them go by the owners' word, remember it, and say what changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.message import Message

from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_client.async_client import AsyncVaultClient
from strongroom_client.cli.configuration import ConfigurationFault, load_configuration
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.errors import BundleInvalid, OwnerBundleInvalid, ReceiptInvalid, UnpinnedVault
from strongroom_client.notices import Notice, NoticeKind
from strongroom_client.session import VaultSettings
from strongroom_client.steps import Rpc
from strongroom_client.tenant_client import AsyncTenantClient, TenantClient
from strongroom_client.verification.bundles import Trust
from tests.fakes.client import OWNER, FakeMemory
from tests.fakes.owner_signers import ADA, GRACE, owners_sign, pinned
from tests.fakes.tenant_vault import FakeTenantVault
from tests.fakes.vault import NOW, TENANT
from tests.fakes.vault_keys import FakeVaultKeys

OWNERS = Trust(pins=frozenset(), owners=pinned(ADA, GRACE))
DAY_MS = 24 * 3600 * 1000


@dataclass
class OwnedVault:
    """A vault, behind a front that hands out `owner_bundles`; implements a Connection."""

    vault: FakeTenantVault = field(default_factory=lambda: FakeTenantVault(feed=["alice"]))
    owner_bundles: list[resources_pb2.SignedKeyBundle] = field(default_factory=list)

    def close(self) -> None:
        """Nothing to close."""

    def call(self, rpc: Rpc, request: Message) -> Message:
        response = self.vault.call(rpc, request)
        if isinstance(response, vault_service_pb2.GetServiceInfoResponse):
            response.owner_bundles.extend(self.owner_bundles)
        return response

    def owners_sign(self, serial: int, *identities: FakeVaultKeys, now: int = NOW) -> None:
        bundle = resources_pb2.KeyBundle.FromString(identities[0].bundle(serial=serial, now=now).bundle)
        for other in identities[1:]:
            bundle.identity_keys.add(fingerprint=other.fingerprint, public_key=other.identity_public_key)
        previous = self.owner_bundles[-1].bundle if self.owner_bundles else b""
        self.owner_bundles.append(owners_sign(bundle.SerializeToString(), ADA, GRACE, previous=previous))


@dataclass
class AsyncOwnedVault:
    """The same as an AsyncConnection."""

    owned: OwnedVault

    async def call(self, rpc: Rpc, request: Message) -> Message:
        return self.owned.call(rpc, request)

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def owned() -> OwnedVault:
    vault = OwnedVault()
    vault.owners_sign(3, vault.vault.keys)
    return vault


def client_of(owned: OwnedVault, memory: FakeMemory, *, trust: Trust = OWNERS) -> VaultClient:
    settings = VaultSettings(owner=OWNER, trust=trust)
    return VaultClient(
        settings=settings,
        connection=owned,
        memory=memory,
        clock=lambda: Millis(owned.vault.now),
        pause=list[float]().append,
    )


def replace_identity(owned: OwnedVault) -> FakeVaultKeys:
    """As an operator does: prepared, signed for by the owners, put to use."""
    new = FakeVaultKeys(transport=owned.vault.keys.transport)
    owned.owners_sign(9, owned.vault.keys, new)
    owned.vault.keys = new
    owned.vault.serial = 10
    return new


def kinds(notices: tuple[Notice, ...]) -> list[NoticeKind]:
    return [notice.kind for notice in notices]


def test_replaced_identity_is_gone_by_and_told_of_and_the_dropped_one_too(owned: OwnedVault) -> None:
    memory, old = FakeMemory(), owned.vault.keys
    with client_of(owned, memory) as client:
        assert client.service_info().bundle.signers == (old.fingerprint,)
        assert client.notices == ()
    assert (memory.kept.pins, memory.kept.owner_bundle is not None) == (frozenset({old.fingerprint}), True)

    new = replace_identity(owned)
    with client_of(owned, memory) as client:
        client.vault()
        (told,) = client.notices
        assert (told.kind, new.fingerprint.hex() in told.said) == (NoticeKind.IDENTITY_KEY_INTRODUCED, True)
        assert client.examine_receipts().is_sound
    owned.owners_sign(12, new)
    with client_of(owned, memory) as client:
        client.vault()
        (told,) = client.notices
        assert (told.kind, old.fingerprint.hex() in told.said) == (NoticeKind.IDENTITY_KEY_DROPPED, True)
        assert client.examine_receipts().is_sound, "receipts of the dropped key stay good"
    owned.vault.keys, owned.vault.serial = old, 13
    with client_of(owned, memory) as client, pytest.raises(BundleInvalid, match="not signed by an identity key"):
        client.service_info()


def test_session_learns_of_a_replaced_identity_in_its_middle(owned: OwnedVault) -> None:
    with client_of(owned, FakeMemory()) as client:
        client.vault()
        replace_identity(owned)
        client.vault()
        assert kinds(client.notices) == [NoticeKind.IDENTITY_KEY_INTRODUCED]


def test_identity_that_the_owners_did_not_sign_for_is_refused_in_the_middle_too(owned: OwnedVault) -> None:
    with client_of(owned, FakeMemory()) as client:
        client.vault()
        owned.vault.keys = FakeVaultKeys()
        with pytest.raises((BundleInvalid, ReceiptInvalid)):
            client.vault()


def test_front_that_shows_an_older_chain_or_none_is_refused_and_nothing_is_remembered(owned: OwnedVault) -> None:
    memory = FakeMemory()
    old = list(owned.owner_bundles)
    replace_identity(owned)
    with client_of(owned, memory) as client:
        client.service_info()
    kept = memory.kept
    for handed_out in (old, []):
        owned.owner_bundles = handed_out
        with client_of(owned, memory) as client, pytest.raises(OwnerBundleInvalid):
            client.service_info()
    assert memory.kept == kept
    with pytest.raises(UnpinnedVault):
        client_of(owned, memory, trust=Trust(pins=frozenset(), unpinned=True))


def test_new_chain_is_taken_once_the_user_accepts_it(owned: OwnedVault) -> None:
    memory = FakeMemory()
    with client_of(owned, memory) as client:
        client.service_info()
    owned.owner_bundles.clear()
    owned.owners_sign(2, owned.vault.keys)
    with client_of(owned, memory) as client:
        with pytest.raises(OwnerBundleInvalid, match="has serial 2"):
            client.service_info()
        client.accept_older_vault()
        client.service_info()


def test_description_is_asked_for_anew_once_the_owners_bundle_is_over(owned: OwnedVault) -> None:
    owned.owner_bundles.clear()
    owned.owners_sign(3, owned.vault.keys, now=NOW - 20 * DAY_MS)
    with client_of(owned, FakeMemory()) as client:
        client.vault()
        owned.vault.now += 10 * DAY_MS
        owned.vault.serial += 1
        with pytest.raises(OwnerBundleInvalid, match="not valid any more"):
            client.vault()
        owned.owners_sign(5, owned.vault.keys, now=owned.vault.now)
        client.vault()


async def test_asynchronous_client_goes_by_the_owners_too(owned: OwnedVault) -> None:
    async with AsyncVaultClient(
        settings=VaultSettings(owner=OWNER, trust=OWNERS),
        connection=AsyncOwnedVault(owned),
        memory=FakeMemory(),
        clock=lambda: Millis(owned.vault.now),
    ) as client:
        await client.vault()
        replace_identity(owned)
        await client.vault()
        assert kinds(client.notices) == [NoticeKind.IDENTITY_KEY_INTRODUCED]
        assert (await client.examine_receipts()).is_sound
        owned.owner_bundles.clear()
        with pytest.raises(OwnerBundleInvalid, match="hands out nothing"):
            await client.service_info()


async def test_clients_of_tenants_go_by_the_owners_too(owned: OwnedVault) -> None:
    client = TenantClient(tenant=TENANT, trust=OWNERS, connection=owned, clock=lambda: Millis(owned.vault.now))
    waiting = AsyncTenantClient(
        tenant=TENANT, trust=OWNERS, connection=AsyncOwnedVault(owned), clock=lambda: Millis(owned.vault.now)
    )
    for change in (replace_identity, lambda _: None):
        assert [event.account for event in client.page().events] == ["alice"]
        assert [event.account for event in (await waiting.page()).events] == ["alice"]
        change(owned)
    del owned.owner_bundles[1:]
    owned.vault.keys = FakeVaultKeys()
    with pytest.raises(OwnerBundleInvalid, match="has serial 3, but this device has seen serial 9"):
        client.page()
    with pytest.raises(OwnerBundleInvalid, match="has serial 3, but this device has seen serial 9"):
        await waiting.page()


def test_command_reads_the_owners_keys_from_files(tmp_path: Path) -> None:
    for name, key in (("ada", ADA), ("grace", GRACE)):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(pem)
    head = 'vault = "a:1"\ntenant = "t"\naccount = "a"\naccount_token_file = "token"\n'
    file = tmp_path / "strongroom.toml"
    file.write_text(head + 'owner_key_files = ["ada.pub", "grace.pub"]\n')
    assert load_configuration(tmp_path).settings.trust == OWNERS
    file.write_text(head + 'owner_key_files = ["ada.pub", "ada.pub"]\n')
    with pytest.raises(ConfigurationFault, match="2 different keys"):
        load_configuration(tmp_path)
