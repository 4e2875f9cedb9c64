"""What a front that cheats can do to a client: nothing; the passkey signs only the client's own request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.errors import (
    BundleInvalid,
    ReceiptInvalid,
    StatementMismatch,
    VaultWentBack,
)
from strongroom_client.steps import Rpc
from tests.fakes.client import EnrolledDevice
from tests.fakes.front import AnyMessage, Spoil
from tests.fakes.vault import FakeVault


def in_statement(change: Callable[[ceremony_pb2.Statement], None]) -> Spoil:
    """Change the statement of a begun ceremony."""

    def spoil(response: AnyMessage) -> None:
        statement = ceremony_pb2.Statement.FromString(response.ceremony[:-32])
        change(statement)
        response.ceremony = statement.SerializeToString() + response.ceremony[-32:]

    return spoil


def in_request(change: Callable[[ceremony_pb2.CeremonyRequest], None]) -> Spoil:
    """Let the vault begin a ceremony for another request than the client's."""

    def spoil(request: AnyMessage) -> None:
        asked = ceremony_pb2.CeremonyRequest.FromString(request.request)
        change(asked)
        request.request = asked.SerializeToString()

    return spoil


def swap_recipient(asked: ceremony_pb2.CeremonyRequest) -> None:
    asked.release.recipient = b"f" * 32


def swap_operation(asked: ceremony_pb2.CeremonyRequest) -> None:
    asked.delete.CopyFrom(ceremony_pb2.DeleteOperation())


def swap_account(statement: ceremony_pb2.Statement) -> None:
    statement.account = "mallory"


def swap_mode(statement: ceremony_pb2.Statement) -> None:
    statement.mode = resources_pb2.MODE_VAULT_HELD


def older_version(statement: ceremony_pb2.Statement) -> None:
    statement.version -= 1


def other_head(statement: ceremony_pb2.Statement) -> None:
    statement.chain_head = b"x" * 32


def expired(statement: ceremony_pb2.Statement) -> None:
    statement.expire_time.FromSeconds(1)


def add_credential(response: AnyMessage) -> None:
    response.credentials.add(credential_id=b"front's own", cose_key=b"\xa0")


def no_credential(response: AnyMessage) -> None:
    del response.credentials[:]


def swap_recovery_key(response: AnyMessage) -> None:
    response.recovery_public_key = b"f" * 32


@pytest.mark.parametrize("cheat", [swap_recipient, swap_operation])
def test_swapped_request_is_refused_before_any_prompt(
    enrolled: EnrolledDevice, cheat: Callable[[ceremony_pb2.CeremonyRequest], None]
) -> None:
    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = in_request(cheat)
    with pytest.raises(StatementMismatch, match="another request"):
        enrolled.client().release(enrolled.authenticator)
    assert enrolled.authenticator.prompts == 0


@pytest.mark.parametrize(
    "cheat",
    [
        in_statement(swap_account),
        in_statement(swap_mode),
        in_statement(older_version),
        in_statement(other_head),
        in_statement(expired),
        add_credential,
        no_credential,
        swap_recovery_key,
    ],
)
@pytest.mark.parametrize("operation", ["release", "delete"])
def test_spoilt_ceremony_is_refused_before_any_prompt(enrolled: EnrolledDevice, cheat: Spoil, operation: str) -> None:
    enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY] = cheat
    before = enrolled.memory.kept.position
    with pytest.raises((StatementMismatch, VaultWentBack)):
        getattr(enrolled.client(), operation)(enrolled.authenticator)
    assert enrolled.authenticator.prompts == 0
    assert enrolled.memory.kept.position == before
    assert enrolled.memory.kept.contested is None


def test_replayed_ceremony_is_refused(enrolled: EnrolledDevice) -> None:
    seen: list[AnyMessage] = []

    def replay(response: AnyMessage) -> AnyMessage:
        seen.append(type(response).FromString(response.SerializeToString()))
        return seen[0]

    enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY] = replay
    enrolled.client().release(enrolled.authenticator)
    with pytest.raises(StatementMismatch, match="another request"):
        enrolled.client().release(enrolled.authenticator)
    assert enrolled.authenticator.prompts == 1


def test_bundle_of_an_unpinned_identity_is_refused_before_a_ceremony_is_begun(enrolled: EnrolledDevice) -> None:
    stranger = FakeVault()
    enrolled.front.spoil_responses[Rpc.GET_SERVICE_INFO] = lambda _: stranger.call(
        Rpc.GET_SERVICE_INFO, enrolled.front.seen[-1][1]
    )
    with pytest.raises(BundleInvalid):
        enrolled.client().release(enrolled.authenticator)
    assert Rpc.BEGIN_CEREMONY not in [rpc for rpc, _ in enrolled.front.seen]


def test_older_bundle_is_refused(enrolled: EnrolledDevice) -> None:
    enrolled.vault.serial = 0
    with pytest.raises(BundleInvalid, match="serial"):
        enrolled.client().service_info()


def test_service_description_of_another_time_is_refused(enrolled: EnrolledDevice) -> None:
    old = enrolled.vault.call(Rpc.GET_SERVICE_INFO, vault_service_pb2.GetServiceInfoRequest(nonce=b"o" * 32))
    enrolled.front.spoil_responses[Rpc.GET_SERVICE_INFO] = lambda _: old
    with pytest.raises(ReceiptInvalid):
        enrolled.client().service_info()


def swap_reply(response: AnyMessage) -> None:
    response.reply += b"\x00"


def swap_receipt_head(response: AnyMessage) -> None:
    response.receipt.chain_head = b"x" * 32


def claim_newer_version(response: AnyMessage) -> None:
    response.receipt.version += 1


def sign_as_stranger(response: AnyMessage) -> None:
    response.receipt.identity_fingerprint = b"f" * 32


def drop_receipt(response: AnyMessage) -> None:
    response.ClearField("receipt")


@pytest.mark.parametrize("cheat", [swap_reply, swap_receipt_head, claim_newer_version, sign_as_stranger, drop_receipt])
@pytest.mark.parametrize(
    ("rpc", "operation"), [(Rpc.RELEASE_ENVELOPE, "release"), (Rpc.DELETE_VAULT, "delete"), (Rpc.GET_VAULT, "vault")]
)
def test_answer_without_a_good_receipt_is_not_used_or_remembered(
    enrolled: EnrolledDevice, cheat: Spoil, rpc: Rpc, operation: str
) -> None:
    before, kept = enrolled.memory.kept.position, len(enrolled.memory.about_the_record)
    enrolled.front.spoil_responses[rpc] = cheat
    arguments = () if operation == "vault" else (enrolled.authenticator,)
    with pytest.raises(ReceiptInvalid):
        getattr(enrolled.client(), operation)(*arguments)
    assert enrolled.memory.kept.position == before
    assert len(enrolled.memory.about_the_record) == kept
