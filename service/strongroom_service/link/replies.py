"""From a keeper's replies in frames.proto to the values of the keeper port.

A reply that is not what was asked for, or that lacks a part, is a fault: the keeper is trusted to judge, but what is
made of its answer here must be whole.
"""

from __future__ import annotations

from typing import Final

from strongroom.keeper.v1 import frames_pb2 as frames
from strongroom.v1 import event_pb2
from strongroom_service.application.keepers import (
    AlreadyGranted,
    BegunCeremony,
    CommitOrder,
    CredentialDescriptor,
    Receipt,
    SignedReply,
    StaleRecord,
)
from strongroom_service.application.rows import Change
from strongroom_service.domain.errors import (
    ClockUntrusted,
    Fault,
    InvalidField,
    Misconfigured,
    Reason,
    RecordRejected,
    Refusal,
    TokenFault,
)
from strongroom_service.domain.events import Outcome
from strongroom_service.link.condition import KeeperCondition

_OUTCOMES: Final = {
    event_pb2.EVENT_OUTCOME_GRANTED: Outcome.GRANTED,
    event_pb2.EVENT_OUTCOME_FAILED: Outcome.FAILED,
    event_pb2.EVENT_OUTCOME_EXHAUSTED: Outcome.EXHAUSTED,
    event_pb2.EVENT_OUTCOME_REFUSED: Outcome.REFUSED,
}
# What a keeper can say is broken. It has no store, so it knows nothing of a commit's outcome.
_FAULTS: Final = {fault.__name__: fault for fault in (RecordRejected, TokenFault, ClockUntrusted, Misconfigured)}
_REASONS: Final = frozenset(reason.value for reason in Reason)


def vault_opened(reply: frames.KeeperReply) -> frames.OpenVaultReply:
    """Return what opening the vault gave. Raises as `_require`."""
    _require(reply, "open_vault")
    return reply.open_vault


def probed(reply: frames.KeeperReply) -> KeeperCondition:
    """Return the keeper's condition; the known-answer operation gave the known answer. Raises as `_require`."""
    _require(reply, "probe")
    return KeeperCondition.read(reply.probe)


def signed_reply(reply: frames.KeeperReply) -> SignedReply:
    """Return the signed reply. Raises as `_require`."""
    _require(reply, "signed")
    signed = reply.signed
    if not signed.HasField("receipt"):
        raise Fault("keeper's reply has no receipt")
    receipt = signed.receipt
    return SignedReply(
        reply=signed.reply,
        receipt=Receipt(
            signature=receipt.signature,
            identity_fingerprint=receipt.identity_fingerprint,
            version=receipt.version,
            chain_head=receipt.chain_head,
        ),
    )


def begun_ceremony(reply: frames.KeeperReply) -> BegunCeremony:
    """Return the ceremony begun. Raises as `_require`."""
    _require(reply, "begin")
    begun = reply.begin
    return BegunCeremony(
        ceremony=begun.ceremony,
        credentials=tuple(
            CredentialDescriptor(
                credential_id=credential.credential_id,
                cose_key=credential.cose_key,
                transports=tuple(credential.transports),
            )
            for credential in begun.credentials
        ),
        recovery_public_key=begun.recovery_public_key,
    )


def verdict(reply: frames.KeeperReply) -> CommitOrder | AlreadyGranted:
    """Return the verdict. Raises as `_require`."""
    _require(reply, "judge")
    if reply.judge.HasField("already_granted"):
        return AlreadyGranted()
    if not reply.judge.HasField("commit") or not reply.judge.commit.HasField("row"):
        raise Fault("keeper's verdict is neither a grant nor a row to commit")
    return commit_order(reply.judge.commit)


def commit_order(order: frames.CommitOrder) -> CommitOrder:
    """Return what is to be committed. Raises Fault for what it does not know."""
    change = Change(
        record_id=order.row.record_id,
        version=order.row.version,
        at=order.at,
        sealed_record=order.row.sealed,
        sealed_event=order.sealed_event,
    )
    if order.outcome not in _OUTCOMES:
        raise Fault(f"keeper's verdict has an outcome that we do not know: {order.outcome}")
    refusal = _refusal(order.refusal) if order.HasField("refusal") else None
    return CommitOrder(change=change, refusal=refusal, outcome=_OUTCOMES[order.outcome])


def _require(reply: frames.KeeperReply, kind: str) -> None:
    """Raise unless `reply` is of `kind`.

    Raises:
        Refusal: the keeper's policy said no.
        StaleRecord: the keeper was presented a newer row before.
        RecordRejected, TokenFault, Misconfigured: as the keeper says.
        Fault: it says anything else, or the reply is of another kind.
    """
    given = reply.WhichOneof("reply")
    if given == kind:
        return
    if given == "refusal":
        raise _refusal(reply.refusal)
    if given == "stale":
        raise StaleRecord(newest_version=reply.stale.newest_version)
    if given == "fault":
        fault = _FAULTS.get(reply.fault.kind, Fault)
        raise fault(f"keeper: {reply.fault.kind}: {reply.fault.detail}")
    raise Fault(f"keeper answered {given} where {kind} was asked for")


def _refusal(message: frames.RefusalReply) -> Refusal:
    if message.reason not in _REASONS:
        raise Fault(f"keeper refused for a reason that we do not know: {message.reason!r}")
    reason = Reason(message.reason)
    if reason is Reason.INVALID_FIELD:
        return InvalidField(field=message.field, rule=message.rule)
    return Refusal(reason, retry_after_ms=message.retry_after_ms if message.HasField("retry_after_ms") else None)
