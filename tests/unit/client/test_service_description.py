"""What the client takes from a vault's signed description, and what it refuses although it is signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.errors import ReceiptInvalid, ReplyMismatch
from strongroom_client.session import VaultSettings
from strongroom_client.steps import Rpc
from strongroom_client.verification.bundles import Trust
from tests.fakes.client import OWNER, EnrolledDevice, FakeMemory
from tests.fakes.front import AnyMessage, CheatingFront
from tests.fakes.vault import FakeVault
from tests.fakes.vault_keys import FakeVaultKeys

DAY_MS = 24 * 3600 * 1000


def describing(vault: FakeVault, change: Callable[[vault_service_pb2.ServiceInfoReply], None]) -> CheatingFront:
    """A vault that describes itself otherwise, and signs that."""
    front = CheatingFront(vault)

    def sign_anew(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.ServiceInfoReply.FromString(response.reply)
        change(reply)
        serialized = reply.SerializeToString()
        asked: AnyMessage = front.seen[-1][1]
        receipt = vault.keys.receipt(
            "get-service-info", challenge=asked.nonce, reply=serialized, version=0, head=bytes(32)
        )
        return vault_service_pb2.GetServiceInfoResponse(reply=serialized, receipt=receipt)

    front.spoil_responses[Rpc.GET_SERVICE_INFO] = sign_anew
    return front


def client_with(
    vault: FakeVault, front: CheatingFront, *, rp_id: str | None = None, origin: str | None = None
) -> VaultClient:
    trust = Trust(pins=frozenset({vault.keys.fingerprint}))
    settings = VaultSettings(owner=OWNER, trust=trust, rp_id=rp_id, origin=origin)
    return VaultClient(settings=settings, connection=front, memory=FakeMemory(), clock=lambda: Millis(vault.now))


def test_algorithms_that_the_client_does_not_know_are_not_offered() -> None:
    vault = FakeVault()
    front = describing(vault, lambda reply: reply.algorithms.extend([-65535, -257]))
    assert client_with(vault, front).service_info().algorithms == (-7, -8, -257)


def test_configured_rp_id_and_origin_are_taken() -> None:
    vault = FakeVault()
    service = client_with(vault, CheatingFront(vault), rp_id="vault.example", origin="https://vault.example")
    assert service.service_info().origin == "https://vault.example"


@pytest.mark.parametrize(("rp_id", "origin"), [("other.example", None), (None, "https://other.example")])
def test_description_that_differs_from_the_configuration_is_refused(rp_id: str | None, origin: str | None) -> None:
    vault = FakeVault()
    with pytest.raises(ReplyMismatch):
        client_with(vault, CheatingFront(vault), rp_id=rp_id, origin=origin).service_info()


def other_tenant(reply: vault_service_pb2.ServiceInfoReply) -> None:
    reply.tenant = "other"


def no_origins(reply: vault_service_pb2.ServiceInfoReply) -> None:
    del reply.origins[:]


@pytest.mark.parametrize("change", [other_tenant, no_origins])
def test_description_of_another_tenant_or_without_origins_is_refused(
    change: Callable[[vault_service_pb2.ServiceInfoReply], None],
) -> None:
    vault = FakeVault()
    with pytest.raises(ReplyMismatch):
        client_with(vault, describing(vault, change)).service_info()


def test_reply_that_does_not_parse_is_refused() -> None:
    vault = FakeVault()
    front = CheatingFront(vault)
    front.spoil_responses[Rpc.GET_SERVICE_INFO] = lambda response: setattr(response, "reply", b"\xff")
    with pytest.raises(ReplyMismatch):
        client_with(vault, front).service_info()


def test_bundle_is_asked_for_again_when_its_time_is_over(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    client.vault()
    client.vault()
    assert [rpc for rpc, _ in enrolled.front.seen].count(Rpc.GET_SERVICE_INFO) == 1
    enrolled.vault.now += 30 * DAY_MS
    enrolled.vault.serial += 1
    client.vault()
    assert [rpc for rpc, _ in enrolled.front.seen].count(Rpc.GET_SERVICE_INFO) == 2


@pytest.mark.parametrize("next_is_pinned", [True, False])
def test_identity_key_that_came_into_use_counts_only_if_it_is_pinned(*, next_is_pinned: bool) -> None:
    """The bundle is asked for again for the new key's sake, and signed by both during the change."""
    vault, old = FakeVault(), FakeVault()
    vault.keys = replace(old.keys)
    following = FakeVaultKeys()
    pins = {old.keys.fingerprint} | ({following.fingerprint} if next_is_pinned else set())
    client = VaultClient(
        settings=VaultSettings(owner=OWNER, trust=Trust(pins=frozenset(pins))),
        connection=vault,
        memory=FakeMemory(),
        clock=lambda: Millis(vault.now),
    )
    client.vault()
    vault.keys, vault.serial = following, 2
    if next_is_pinned:
        assert client.vault().state == "none"
    else:
        with pytest.raises(ReceiptInvalid):
            client.vault()


def test_unknown_states_and_modes_of_a_newer_vault_are_shown_as_numbers(enrolled: EnrolledDevice) -> None:
    record = replace(enrolled.vault.record)
    object.__setattr__(record, "state", 77)
    enrolled.vault.record = record
    assert enrolled.client().vault().state == "77"
    assert resources_pb2.VaultState.values() == [0, 1, 2, 3, 4, 5, 6, 7]
