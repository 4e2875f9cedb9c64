"""A reset, for who lost everything: the vault is set aside, and an empty one starts. A token allows it, no passkey."""

from __future__ import annotations

from dataclasses import replace

from strongroom.v1 import vault_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import ReceiptInvalid, ReplyMismatch
from strongroom_client.flows.answers import NONCE_BYTES, learn, parse, require_uncontested, tell, verify_answer
from strongroom_client.flows.ceremonies import NONCE_KNOWN_MS, call_until_answered
from strongroom_client.notices import pending_notices
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.timestamps import optional_millis
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.receipts import ReceiptFor


def reset(session: Session) -> Flow[Millis]:
    """Set the vault aside, and return when it will be erased, unless one of its credentials reopens it before.

    Raises:
        ScopeMissing: the account token was not made for this.
        ResetPending: an earlier reset still keeps a vault set aside.
        NoVault: there is nothing to set aside.
    """
    require_uncontested(session)
    nonce = session.random(NONCE_BYTES)
    answer = yield from call_until_answered(
        session.clock,
        Rpc.RESET_VAULT,
        vault_service_pb2.ResetVaultRequest(nonce=nonce),
        vault_service_pb2.ResetVaultResponse,
        until=Millis(session.clock() + NONCE_KNOWN_MS),
    )
    verified = yield from verify_answer(session, answer, receipt_for=ReceiptFor.RESET, challenge=nonce)
    if verified.position.version <= session.memory.position.version:
        raise ReceiptInvalid("the receipt's version is not one that a reset could have made")
    reply = parse(vault_service_pb2.ResetVaultReply, verified.reply)
    erase_at = optional_millis(reply, "erase_time", otherwise=ReplyMismatch)
    if erase_at is None:
        raise ReplyMismatch("the vault does not say when it will erase what it has set aside")
    memory = replace(
        session.memory,
        pending=replace(session.memory.pending, set_aside_erase_at=erase_at),
        mode=None,
        opened_archive_version=0,
        archive_recipient=None,
        recovery_recipient=None,
    )
    yield from learn(session, verified, memory=memory, credentials=CredentialSet())
    yield from tell(session, pending_notices(memory.pending))
    return erase_at
