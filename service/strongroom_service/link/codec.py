"""From the values of the keeper port to the calls of frames.proto, on the front's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.keeper.v1 import frames_pb2 as frames
from strongroom.v1 import resources_pb2 as resources
from strongroom_service.application.keepers import (
    Caller,
)
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion

if TYPE_CHECKING:
    from strongroom_service.application.keepers import Completion, TenantCaller
    from strongroom_service.application.rows import EventRow, FeedRow, RecordRow, VaultRow
    from strongroom_service.domain.credentials import WebAuthnAttestation

_OPERATIONS: Final = {
    Operation.REGISTER: frames.OPERATION_REGISTER,
    Operation.STORE: frames.OPERATION_STORE,
    Operation.RELEASE: frames.OPERATION_RELEASE,
    Operation.DELETE: frames.OPERATION_DELETE,
    Operation.ADD_CREDENTIAL: frames.OPERATION_ADD_CREDENTIAL,
    Operation.REMOVE_CREDENTIAL: frames.OPERATION_REMOVE_CREDENTIAL,
    Operation.SET_RECOVERY: frames.OPERATION_SET_RECOVERY,
    Operation.REOPEN: frames.OPERATION_REOPEN,
    Operation.LIFT_QUARANTINE: frames.OPERATION_LIFT_QUARANTINE,
    Operation.SET_POLICY: frames.OPERATION_SET_POLICY,
    Operation.RESET: frames.OPERATION_RESET,
    Operation.ERASE_ACCOUNT: frames.OPERATION_ERASE_ACCOUNT,
    Operation.CANCEL_ERASE_ACCOUNT: frames.OPERATION_CANCEL_ERASE_ACCOUNT,
}


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


def judge_call(caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.judge`."""
    call = frames.JudgeCall(
        account_token=_account_token(caller),
        tenant_caller=_tenant_caller(caller),
        row=_row(row),
        ceremony=completion.ceremony,
        operation=_OPERATIONS[completion.operation],
        attestation=_attestation(completion.attestation),
        assertion=_assertion(completion.assertion),
        sealed_envelope=completion.sealed_envelope,
        transport_key_id=completion.transport_key_id,
        attest_ceremony=completion.attest_ceremony,
        nonce=completion.nonce,
    )
    return frames.KeeperCall(request_id=caller.request_id, judge=call)


def fulfil_call(caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None) -> frames.KeeperCall:
    """Return the call behind `Keeper.fulfil`."""
    call = frames.FulfilCall(
        account_token=_account_token(caller),
        tenant_caller=_tenant_caller(caller),
        row=_row(row),
        ceremony=completion.ceremony,
        operation=_OPERATIONS[completion.operation],
        nonce=completion.nonce,
    )
    return frames.KeeperCall(request_id=caller.request_id, fulfil=call)


def list_events_call(
    caller: Caller,
    *,
    nonce: bytes,
    page_token: bytes,
    row: RecordRow | None,
    events: tuple[EventRow, ...],
    oldest: bool,
) -> frames.KeeperCall:
    """Return the call behind `Keeper.list_events`."""
    call = frames.ListEventsCall(
        account_token=caller.account_token,
        nonce=nonce,
        row=_row(row),
        page_token=page_token,
        events=[frames.EventRow(version=event.version, sealed=event.sealed) for event in events],
        oldest=oldest,
    )
    return frames.KeeperCall(request_id=caller.request_id, list_events=call)


def list_tenant_events_call(
    caller: TenantCaller, *, nonce: bytes, cursor: bytes, events: tuple[FeedRow, ...], more: bool
) -> frames.KeeperCall:
    """Return the call behind `Keeper.list_tenant_events`."""
    call = frames.ListTenantEventsCall(
        tenant_caller=_tenant_caller(caller),
        nonce=nonce,
        cursor=cursor,
        events=[
            frames.FeedRow(
                position=event.position, record_id=event.record_id, version=event.version, sealed=event.sealed
            )
            for event in events
        ],
        more=more,
    )
    return frames.KeeperCall(request_id=caller.request_id, list_tenant_events=call)


def _account_token(caller: Caller | TenantCaller) -> str:
    return caller.account_token if isinstance(caller, Caller) else ""


def _tenant_caller(caller: Caller | TenantCaller) -> frames.TenantCaller | None:
    if isinstance(caller, Caller):
        return None
    return frames.TenantCaller(tenant_token=caller.tenant_token, account=caller.account)


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
