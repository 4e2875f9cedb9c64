from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from google.protobuf.message import Message

from strongroom.v1 import tenant_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import (
    BundleInvalid,
    ErasurePending,
    NoErasurePending,
    NotProven,
    ReceiptInvalid,
    ReplyMismatch,
)
from strongroom_client.steps import Rpc
from strongroom_client.tenant_client import AsyncTenantClient, TenantClient
from strongroom_client.transport import Connection
from strongroom_client.verification.bundles import Trust
from tests.fakes.front import AnyMessage, CheatingFront
from tests.fakes.tenant_vault import FakeTenantVault
from tests.fakes.vault import GRACE_MS, TENANT, FakeVault
from tests.fakes.vault_keys import FakeVaultKeys

ACCOUNTS = ["alice", "bob", "carol", "dave", "erin"]


@pytest.fixture
def vault() -> FakeTenantVault:
    return FakeTenantVault(feed=list(ACCOUNTS))


def client_of(
    vault: FakeTenantVault, connection: Connection | None = None, *, pins: frozenset[bytes] | None = None
) -> TenantClient:
    return TenantClient(
        tenant=TENANT,
        trust=Trust(pins=pins or frozenset({vault.keys.fingerprint})),
        connection=connection or vault,
        clock=lambda: Millis(vault.now),
        pause=list[float]().append,
    )


def test_feed_is_read_to_its_end_and_on_from_there(vault: FakeTenantVault) -> None:
    client = client_of(vault)
    pages = list(client.pages())
    assert [event.account for page in pages for event in page.events] == ACCOUNTS
    assert [page.more for page in pages] == [True, True, False]
    assert {event.kind for page in pages for event in page.events} == {"release"}
    vault.feed.append("frank")
    (page,) = client.pages(pages[-1].next_cursor)
    assert [event.account for event in page.events] == ["frank"]
    assert vault.calls.count(Rpc.GET_SERVICE_INFO) == 1, "the keys are asked for once"


def test_erasure_waits_and_is_taken_back(vault: FakeTenantVault) -> None:
    client = client_of(vault)
    asked = client.erase_account("alice")
    assert (asked.account, asked.erase_at) == ("alice", vault.now + GRACE_MS)
    with pytest.raises(ErasurePending):
        client.erase_account("alice")
    assert client.cancel_erase_account("alice").erase_at is None
    with pytest.raises(NoErasurePending):
        client.cancel_erase_account("alice")


def test_lost_answer_is_asked_for_again_with_the_same_nonce(vault: FakeTenantVault) -> None:
    front = CheatingFront(vault, lose={Rpc.ERASE_ACCOUNT: 2})
    client_of(vault, front).erase_account("alice")
    sent = [request.SerializeToString() for rpc, request in front.seen if rpc is Rpc.ERASE_ACCOUNT]
    assert (len(sent), len(set(sent))) == (3, 1)


def test_identity_key_that_came_into_use_is_looked_for_among_the_pins(vault: FakeTenantVault) -> None:
    following = FakeVaultKeys()
    client = client_of(vault, pins=frozenset({vault.keys.fingerprint, following.fingerprint}))
    client.page()
    vault.keys, vault.serial = following, 2
    assert client.page().events


def test_bundle_that_is_over_is_asked_for_again(vault: FakeTenantVault) -> None:
    client = client_of(vault)
    client.page()
    vault.now += 60 * 24 * 3600 * 1000
    vault.serial += 1
    client.page()
    assert vault.calls.count(Rpc.GET_SERVICE_INFO) == 2


def signed(rpc: str, change: Callable[[AnyMessage], None], reply_type: type[AnyMessage]) -> Callable[..., None]:
    """A vault that signs another reply."""

    def spoil(vault: FakeTenantVault, sent: AnyMessage, response: AnyMessage) -> None:
        reply = reply_type.FromString(response.reply)
        change(reply)
        response.reply = reply.SerializeToString()
        receipt = vault.receipt(rpc, challenge=sent.nonce, reply=response.reply)
        response.receipt.CopyFrom(receipt)

    return spoil


def other_account(reply: AnyMessage) -> None:
    reply.account = "mallory"


def other_tenant(reply: AnyMessage) -> None:
    reply.tenant = "another"


def no_time(reply: AnyMessage) -> None:
    reply.ClearField("erase_time")


def no_cursor(reply: AnyMessage) -> None:
    reply.next_cursor = b""


def same_cursor(reply: AnyMessage) -> None:
    reply.next_cursor = (2).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("rpc", "cheat"),
    [
        (Rpc.ERASE_ACCOUNT, signed("erase-account", other_account, tenant_service_pb2.EraseAccountReply)),
        (Rpc.ERASE_ACCOUNT, signed("erase-account", no_time, tenant_service_pb2.EraseAccountReply)),
        (
            Rpc.CANCEL_ERASE_ACCOUNT,
            signed("cancel-erase-account", other_account, tenant_service_pb2.CancelEraseAccountReply),
        ),
        (
            Rpc.LIST_TENANT_EVENTS,
            signed("list-tenant-events", other_tenant, tenant_service_pb2.ListTenantEventsReply),
        ),
        (Rpc.LIST_TENANT_EVENTS, signed("list-tenant-events", no_cursor, tenant_service_pb2.ListTenantEventsReply)),
        (Rpc.LIST_TENANT_EVENTS, signed("list-tenant-events", same_cursor, tenant_service_pb2.ListTenantEventsReply)),
    ],
)
def test_answer_about_something_else_is_refused_although_the_vault_signed_it(
    vault: FakeTenantVault, rpc: Rpc, cheat: Callable[[FakeTenantVault, AnyMessage, AnyMessage], None]
) -> None:
    vault.erasures["bob"] = 1
    front = CheatingFront(vault)
    front.spoil_responses[rpc] = lambda response: cheat(vault, front.seen[-1][1], response)
    client = client_of(vault, front)
    operations: dict[Rpc, Callable[[], object]] = {
        Rpc.ERASE_ACCOUNT: lambda: client.erase_account("alice"),
        Rpc.CANCEL_ERASE_ACCOUNT: lambda: client.cancel_erase_account("bob"),
        Rpc.LIST_TENANT_EVENTS: lambda: client.page((2).to_bytes(8, "big")),
    }
    with pytest.raises(ReplyMismatch):
        operations[rpc]()


def leave_out(response: AnyMessage) -> None:
    reply = tenant_service_pb2.ListTenantEventsReply.FromString(response.reply)
    del reply.events[:]
    response.reply = reply.SerializeToString()


def claim_version(response: AnyMessage) -> None:
    response.receipt.version += 1


def drop_receipt(response: AnyMessage) -> None:
    response.ClearField("receipt")


@pytest.mark.parametrize("cheat", [leave_out, claim_version, drop_receipt])
def test_page_that_a_front_has_changed_is_refused(vault: FakeTenantVault, cheat: Callable[[AnyMessage], None]) -> None:
    front = CheatingFront(vault, spoil_responses={Rpc.LIST_TENANT_EVENTS: cheat})
    with pytest.raises(ReceiptInvalid):
        client_of(vault, front).page()


def test_vault_that_is_not_pinned_is_not_believed(vault: FakeTenantVault) -> None:
    with pytest.raises(NotProven):
        client_of(vault, pins=frozenset({bytes(32)})).page()
    stranger = FakeVault()
    front = CheatingFront(vault)
    front.spoil_responses[Rpc.GET_SERVICE_INFO] = lambda _: stranger.call(Rpc.GET_SERVICE_INFO, front.seen[-1][1])
    with pytest.raises(BundleInvalid):
        client_of(vault, front).page()


@dataclass
class AsyncVault:
    """A FakeTenantVault as an AsyncConnection."""

    vault: FakeTenantVault

    async def call(self, rpc: Rpc, request: Message) -> Message:
        await asyncio.sleep(0)
        return self.vault.call(rpc, request)

    async def close(self) -> None:
        """Nothing to close."""


async def test_asynchronous_client_does_the_same(vault: FakeTenantVault) -> None:
    client = AsyncTenantClient(
        tenant=TENANT,
        trust=Trust(pins=frozenset({vault.keys.fingerprint})),
        connection=AsyncVault(vault),
        clock=lambda: Millis(vault.now),
    )
    accounts = [event.account async for page in client.pages() for event in page.events]
    assert accounts == ACCOUNTS
    assert (await client.erase_account("alice")).erase_at == vault.now + GRACE_MS
    assert (await client.cancel_erase_account("alice")).erase_at is None
    await client.close()
