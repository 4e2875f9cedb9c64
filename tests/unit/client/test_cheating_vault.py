"""What a vault that cheats can do, although its own identity key signs what it says: nothing that goes unnoticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.errors import ReplyMismatch, VaultWentBack
from strongroom_client.steps import Rpc
from strongroom_client.verification.statements import challenge_of
from tests.fakes.client import EnrolledDevice, client_of
from tests.fakes.front import AnyMessage, Spoil


def test_answer_about_another_account_is_refused(enrolled: EnrolledDevice) -> None:
    def other_account(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.VaultReply.FromString(response.reply)
        reply.account = "mallory"
        serialized = reply.SerializeToString()
        nonce = enrolled.front.seen[-1][1]
        assert isinstance(nonce, vault_service_pb2.GetVaultRequest)
        receipt = enrolled.vault.receipt("get-vault", challenge=nonce.nonce, reply=serialized)
        return vault_service_pb2.GetVaultResponse(reply=serialized, receipt=receipt)

    enrolled.front.spoil_responses[Rpc.GET_VAULT] = other_account
    kept = len(enrolled.memory.about_the_record)
    with pytest.raises(ReplyMismatch, match="another account"):
        enrolled.client().vault()
    assert len(enrolled.memory.about_the_record) == kept + 1, "what the vault signed is kept: it proves the cheat"


def test_swapped_envelope_is_refused_although_the_vault_signed_it(enrolled: EnrolledDevice) -> None:
    """A vault that keeps another envelope than it was given: the stored hash is not the client's."""

    def other_envelope(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.StoreReply.FromString(response.reply)
        reply.envelope_sha256 = b"e" * 32
        serialized = reply.SerializeToString()
        sent: AnyMessage = enrolled.front.seen[-1][1]
        receipt = enrolled.vault.receipt("store", challenge=challenge_of(sent.ceremony), reply=serialized)
        return vault_service_pb2.StoreEnvelopeResponse(reply=serialized, receipt=receipt)

    client = enrolled.client()
    content = client.release(enrolled.authenticator).opened[0].content
    enrolled.front.spoil_responses[Rpc.STORE_ENVELOPE] = other_envelope
    kept = len(enrolled.memory.about_the_record)
    with pytest.raises(ReplyMismatch, match="another envelope"):
        client.store_envelope(enrolled.authenticator, content)
    assert len(enrolled.memory.about_the_record) == kept + 1, "what the vault signed is kept: it proves the cheat"


def resealed(
    enrolled: EnrolledDevice, change: Callable[[AnyMessage], None], *, recipient: bytes | None = None
) -> Spoil:
    """A vault that signs a release of something else."""

    def spoil(response: AnyMessage) -> AnyMessage:
        sent: AnyMessage = enrolled.front.seen[-1][1]
        statement = ceremony_pb2.Statement.FromString(sent.ceremony[:-32])
        asked = ceremony_pb2.CeremonyRequest.FromString(statement.request)
        archives = tuple(
            vault_service_pb2.ReleasedEnvelope.FromString(one.SerializeToString())
            for one in enrolled.vault.record.archives
        )
        for archive in archives:
            change(archive)
        point = challenge_of(sent.ceremony)
        reply = enrolled.vault.seal_reply(recipient or asked.release.recipient, archives, challenge=point)
        receipt = enrolled.vault.receipt("release", challenge=point, reply=reply)
        return vault_service_pb2.ReleaseEnvelopeResponse(reply=reply, receipt=receipt)

    return spoil


def nothing(_: AnyMessage) -> None:
    """Change nothing."""


def claim_vault_held(archive: AnyMessage) -> None:
    archive.mode = resources_pb2.MODE_VAULT_HELD


def claim_older(archive: AnyMessage) -> None:
    archive.archive_version = 1


def claim_newer(archive: AnyMessage) -> None:
    archive.archive_version = 99


@pytest.mark.parametrize("change", [claim_vault_held, claim_older, claim_newer])
def test_release_of_something_else_is_refused_although_the_vault_signed_it(
    enrolled: EnrolledDevice, change: Callable[[AnyMessage], None]
) -> None:
    enrolled.front.spoil_responses[Rpc.RELEASE_ENVELOPE] = resealed(enrolled, change)
    with pytest.raises(ReplyMismatch):
        enrolled.client().release(enrolled.authenticator)


def test_same_release_resealed_is_taken(enrolled: EnrolledDevice) -> None:
    """Control for the two tests around it: resealing alone is what an honest vault does for a lost answer."""
    enrolled.front.spoil_responses[Rpc.RELEASE_ENVELOPE] = resealed(enrolled, nothing)
    assert enrolled.client().release(enrolled.authenticator).opened


def test_release_sealed_to_another_recipient_is_refused(enrolled: EnrolledDevice) -> None:
    other = enrolled.vault.keys.transport.public_key().public_bytes_raw()
    enrolled.front.spoil_responses[Rpc.RELEASE_ENVELOPE] = resealed(enrolled, nothing, recipient=other)
    with pytest.raises(ReplyMismatch, match="not sealed to this request"):
        enrolled.client().release(enrolled.authenticator)


def test_vault_that_went_back_stops_everything_until_the_user_accepts(enrolled: EnrolledDevice) -> None:
    older = enrolled.vault.record
    enrolled.client().release(enrolled.authenticator)
    known = enrolled.memory.kept.position
    enrolled.vault.record = older
    with pytest.raises(VaultWentBack):
        enrolled.client().vault()
    assert enrolled.memory.kept.position == known
    assert [shown.version for _, shown in enrolled.memory.contested] == [older.version]
    enrolled.front.seen.clear()
    for operation in ("vault", "history"):
        with pytest.raises(VaultWentBack):
            getattr(enrolled.client(), operation)()
    with pytest.raises(VaultWentBack):
        enrolled.client().release(enrolled.authenticator)
    assert enrolled.front.seen == []
    enrolled.client().accept_older_vault()
    assert enrolled.client().vault().version == older.version
    assert enrolled.client().release(enrolled.authenticator).opened


def test_vault_with_no_record_after_it_had_one_went_back(enrolled: EnrolledDevice) -> None:
    enrolled.vault.record = type(enrolled.vault.record)()
    with pytest.raises(VaultWentBack):
        enrolled.client().vault()


def test_other_history_at_the_same_version_is_noticed(enrolled: EnrolledDevice) -> None:
    before = enrolled.vault.record
    enrolled.client().release(enrolled.authenticator)
    enrolled.vault.record = before
    client_of(enrolled.vault).release(enrolled.authenticator)
    with pytest.raises(VaultWentBack):
        enrolled.client().vault()


def test_history_with_an_event_left_out_is_refused(enrolled: EnrolledDevice) -> None:
    def leave_out(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.ListEventsReply.FromString(response.reply)
        del reply.events[1:]
        serialized = reply.SerializeToString()
        sent: AnyMessage = enrolled.front.seen[-1][1]
        receipt = enrolled.vault.receipt("list-events", challenge=sent.nonce, reply=serialized)
        return vault_service_pb2.ListEventsResponse(reply=serialized, receipt=receipt)

    enrolled.front.spoil_responses[Rpc.LIST_EVENTS] = leave_out
    with pytest.raises(ReplyMismatch, match="gap"):
        enrolled.client().history()


def test_endless_history_is_refused(enrolled: EnrolledDevice) -> None:
    def again(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.ListEventsReply.FromString(response.reply)
        del reply.events[:]
        reply.next_page_token = (
            enrolled.vault.record.version.to_bytes(8, "big") + enrolled.vault.record.head + bytes(32)
        )
        serialized = reply.SerializeToString()
        sent: AnyMessage = enrolled.front.seen[-1][1]
        receipt = enrolled.vault.receipt("list-events", challenge=sent.nonce, reply=serialized)
        return vault_service_pb2.ListEventsResponse(reply=serialized, receipt=receipt)

    enrolled.front.spoil_responses[Rpc.LIST_EVENTS] = again
    with pytest.raises(ReplyMismatch, match="before this one"):
        enrolled.client().history()
