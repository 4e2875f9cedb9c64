"""A tenant at the whole service: the feed of its accounts, and an erasure that waits and is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault
from deploy.development.tenant import issue_tenant_token
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.errors import AccountTokenMissing, AccountTokenRejected, NoErasurePending, ScopeMissing
from strongroom_client.notices import NoticeKind
from strongroom_client.tenant_client import TenantClient
from strongroom_client.transport import Address, GrpcConnection
from tests.fakes.resident import Resident


@pytest.fixture
def resident(development_vault: DevelopmentVault, tmp_path: Path) -> Resident:
    return Resident(development_vault, tmp_path)


@pytest.fixture
def tenant(resident: Resident) -> Iterator[TenantClient]:
    with closing(tenant_client(resident, scope="feed erase")) as client:
        yield client


def tenant_client(resident: Resident, *, scope: str) -> TenantClient:
    """A client of the tenant's; without a scope, of one that has no token of its own."""
    vault = resident.vault

    def tenant_token() -> str:
        return issue_tenant_token(vault.tenant, audience=AUDIENCE, now_seconds=int(time.time()), scope=scope)

    return TenantClient(
        tenant=vault.tenant.name,
        trust=resident.trust,
        connection=GrpcConnection(
            Address(target=vault.address, root_certificates=vault.ca_file),
            account_token=AccountTokenFrom(lambda: vault.issue_token("the tenant itself")),
            tenant_token=AccountTokenFrom(tenant_token) if scope else None,
        ),
    )


def test_feed_tells_what_happened_to_an_account_and_goes_on_from_a_cursor(
    resident: Resident, tenant: TenantClient
) -> None:
    cursor = b""
    for page in tenant.pages():
        cursor = page.next_cursor
    with resident.client() as client:
        client.enroll(resident.passkey(), user_name=resident.account)
    events = [event for page in tenant.pages(cursor) for event in page.events if event.account == resident.account]
    assert [(event.version, event.kind, event.outcome) for event in events] == [
        (1, "register", "granted"),
        (2, "store", "granted"),
        (3, "release", "granted"),
    ]


def test_erasure_is_shown_to_the_account_until_it_is_taken_back(resident: Resident, tenant: TenantClient) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        client.enroll(passkey, user_name=resident.account)
    erasure = tenant.erase_account(resident.account)
    with resident.client() as client:
        client.release(passkey)
        assert [(one.kind, one.at) for one in client.notices] == [(NoticeKind.ACCOUNT_ERASURE, erasure.erase_at)]
        assert client.vault().account_erase_at == erasure.erase_at
    tenant.cancel_erase_account(resident.account)
    with pytest.raises(NoErasurePending):
        tenant.cancel_erase_account(resident.account)
    with resident.client() as client:
        client.release(passkey)
        assert client.notices == ()
        assert client.examine_history() == ()
        assert client.examine_receipts().is_sound
        kinds = [event.kind for event in reversed(client.history())]
    assert kinds == ["register", "store", "release", "erase-account", "release", "cancel-erase-account", "release"]


def test_tenant_does_only_what_its_token_allows(resident: Resident) -> None:
    with closing(tenant_client(resident, scope="feed")) as client:
        assert client.page().next_cursor
        with pytest.raises(ScopeMissing):
            client.erase_account(resident.account)
    with closing(tenant_client(resident, scope="")) as client, pytest.raises(AccountTokenMissing):
        client.page()


def test_account_token_is_no_tenants(resident: Resident) -> None:
    vault = resident.vault
    token = AccountTokenFrom(lambda: vault.issue_token(resident.account))
    connection = GrpcConnection(
        Address(target=vault.address, root_certificates=vault.ca_file), account_token=token, tenant_token=token
    )
    client = TenantClient(tenant=vault.tenant.name, trust=resident.trust, connection=connection)
    with closing(client), pytest.raises(AccountTokenRejected):
        client.page()
