"""Between the values of the keeper port and the messages of frames.proto, on the front's side.

A reply that is not what was asked for, or that lacks a part, is a fault: the keeper is trusted to judge, but what is
made of its answer here must be whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.keeper.v1 import frames_pb2 as frames
from strongroom.v1 import resources_pb2 as resources
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
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion
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
from strongroom_service.link.condition import KeeperCondition

if TYPE_CHECKING:
    from strongroom_service.application.keepers import Caller, Completion
    from strongroom_service.application.rows import EventRow, RecordRow, VaultRow
    from strongroom_service.domain.credentials import WebAuthnAttestation

_OPERATIONS: Final = {
    Operation.REGISTER: frames.OPERATION_REGISTER,
    Operation.STORE: frames.OPERATION_STORE,
    Operation.RELEASE: frames.OPERATION_RELEASE,
    Operation.DELETE: frames.OPERATION_DELETE,
}
# What a keeper can say is broken. It has no store, so it knows nothing of a commit's outcome.
_FAULTS: Final = {fault.__name__: fault for fault in (RecordRejected, TokenFault, ClockUntrusted, Misconfigured)}
_REASONS: Final = frozenset(reason.value for reason in Reason)


def open_vault_call(row: VaultRow) -> frames.KeeperCall:
    """Return the call that must be the first of a connection."""
    return frames.KeeperCall(open_vault=frames.OpenVaultCall(version=row.version, sealed=row.sealed))


def probe_call() -> frames.KeeperCall:
    """Return the call for a known-answer operation."""
    return frames.KeeperCall(probe=frames.ProbeCall())


def describe_service_call(caller: Caller, *, nonce: bytes) -> frames.KeeperCall:
    """Return the call behind `Keeper.describe_service`."""
    call = frames.DescribeServiceCall(account_token=caller.account_token, nonce=nonce)
    return frames.KeeperCall(request_id=caller.request_id, describe_service=call)


def describe_record_call(caller: Caller, *, nonce: bytes, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.describe_record`."""
    call = frames.DescribeRecordCall(account_token=caller.account_token, nonce=nonce, row=_row(row))
    return frames.KeeperCall(request_id=caller.request_id, describe_record=call)


def begin_call(caller: Caller, *, request: bytes, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.begin`."""
    call = frames.BeginCall(account_token=caller.account_token, request=request, row=_row(row))
    return frames.KeeperCall(request_id=caller.request_id, begin=call)


def judge_call(caller: Caller, *, completion: Completion, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.judge`."""
    call = frames.JudgeCall(
        account_token=caller.account_token,
        row=_row(row),
        ceremony=completion.ceremony,
        operation=_OPERATIONS[completion.operation],
        attestation=_attestation(completion.attestation),
        assertion=_assertion(completion.assertion),
        sealed_envelope=completion.sealed_envelope,
        transport_key_id=completion.transport_key_id,
    )
    return frames.KeeperCall(request_id=caller.request_id, judge=call)


def fulfil_call(caller: Caller, *, operation: Operation, ceremony: bytes, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.fulfil`."""
    call = frames.FulfilCall(
        account_token=caller.account_token, row=_row(row), ceremony=ceremony, operation=_OPERATIONS[operation]
    )
    return frames.KeeperCall(request_id=caller.request_id, fulfil=call)


def list_events_call(
    caller: Caller, *, nonce: bytes, page_token: bytes, row: RecordRow | None, events: tuple[EventRow, ...]
) -> frames.KeeperCall:
    """Return the call behind `Keeper.list_events`."""
    call = frames.ListEventsCall(
        account_token=caller.account_token,
        nonce=nonce,
        row=_row(row),
        page_token=page_token,
        events=[frames.EventRow(version=event.version, sealed=event.sealed) for event in events],
    )
    return frames.KeeperCall(request_id=caller.request_id, list_events=call)


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
    order = reply.judge.commit
    change = Change(
        record_id=order.row.record_id,
        version=order.row.version,
        at=order.at,
        sealed_record=order.row.sealed,
        sealed_event=order.sealed_event,
    )
    return CommitOrder(change=change, refusal=_refusal(order.refusal) if order.HasField("refusal") else None)


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


def _row(row: RecordRow | None) -> frames.Row | None:
    if row is None:
        return None
    return frames.Row(record_id=row.record_id, version=row.version, sealed=row.sealed)


def _attestation(attestation: WebAuthnAttestation | None) -> resources.Attestation | None:
    if attestation is None:
        return None
    return resources.Attestation(
        credential_id=attestation.credential_id,
        client_data_json=attestation.client_data_json,
        attestation_object=attestation.attestation_object,
        transports=attestation.transports,
    )


def _assertion(assertion: WebAuthnAssertion | RecoverySignature | None) -> resources.Assertion | None:
    match assertion:
        case None:
            return None
        case RecoverySignature():
            recovery = resources.RecoverySignature(public_key=assertion.public_key, signature=assertion.signature)
            return resources.Assertion(recovery=recovery)
        case WebAuthnAssertion():
            webauthn = resources.WebAuthnAssertion(
                credential_id=assertion.credential_id,
                authenticator_data=assertion.authenticator_data,
                client_data_json=assertion.client_data_json,
                signature=assertion.signature,
                user_handle=assertion.user_handle or b"",
            )
            return resources.Assertion(webauthn=webauthn)
