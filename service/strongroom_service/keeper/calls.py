"""What a client brought, out of the front's messages."""

from __future__ import annotations

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.keeper.envelopes import SealedEnvelope
from strongroom_service.keeper.judging import Completion

_OPERATIONS: dict[int, Operation] = {
    frames_pb2.OPERATION_REGISTER: Operation.REGISTER,
    frames_pb2.OPERATION_STORE: Operation.STORE,
    frames_pb2.OPERATION_RELEASE: Operation.RELEASE,
    frames_pb2.OPERATION_DELETE: Operation.DELETE,
    frames_pb2.OPERATION_ADD_CREDENTIAL: Operation.ADD_CREDENTIAL,
    frames_pb2.OPERATION_REMOVE_CREDENTIAL: Operation.REMOVE_CREDENTIAL,
    frames_pb2.OPERATION_SET_RECOVERY: Operation.SET_RECOVERY,
    frames_pb2.OPERATION_REOPEN: Operation.REOPEN,
    frames_pb2.OPERATION_LIFT_QUARANTINE: Operation.LIFT_QUARANTINE,
    frames_pb2.OPERATION_SET_POLICY: Operation.SET_POLICY,
    frames_pb2.OPERATION_RESET: Operation.RESET,
    frames_pb2.OPERATION_ERASE_ACCOUNT: Operation.ERASE_ACCOUNT,
    frames_pb2.OPERATION_CANCEL_ERASE_ACCOUNT: Operation.CANCEL_ERASE_ACCOUNT,
}


def operation_of(operation: int) -> Operation:
    """Return the operation that a call completes.

    Raises:
        Refusal: UNSUPPORTED_OPERATION.
    """
    known = _OPERATIONS.get(operation)
    if known is None:
        raise Refusal(Reason.UNSUPPORTED_OPERATION)
    return known


def completion_of(call: frames_pb2.JudgeCall) -> Completion:
    """Return what the client brought.

    Raises:
        Refusal: UNSUPPORTED_OPERATION.
    """
    attestation = None
    if call.HasField("attestation"):
        attestation = WebAuthnAttestation(
            credential_id=call.attestation.credential_id,
            client_data_json=call.attestation.client_data_json,
            attestation_object=call.attestation.attestation_object,
            transports=tuple(call.attestation.transports),
        )
    return Completion(
        operation=operation_of(call.operation),
        ceremony=call.ceremony,
        attestation=attestation,
        assertion=_assertion_of(call),
        sealed_envelope=SealedEnvelope(sealed=call.sealed_envelope, transport_key_id=call.transport_key_id),
        attest_ceremony=call.attest_ceremony,
        nonce=call.nonce,
    )


def _assertion_of(call: frames_pb2.JudgeCall) -> WebAuthnAssertion | RecoverySignature | None:
    match call.assertion.WhichOneof("kind"):
        case "webauthn":
            brought = call.assertion.webauthn
            return WebAuthnAssertion(
                credential_id=brought.credential_id,
                authenticator_data=brought.authenticator_data,
                client_data_json=brought.client_data_json,
                signature=brought.signature,
                user_handle=brought.user_handle or None,
            )
        case "recovery":
            return RecoverySignature(
                public_key=call.assertion.recovery.public_key, signature=call.assertion.recovery.signature
            )
        case _:
            return None
