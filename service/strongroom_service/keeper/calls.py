"""What a client brought, out of the front's messages."""

from __future__ import annotations

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.keeper.judging import Completion

_OPERATIONS: dict[int, Operation] = {
    frames_pb2.OPERATION_REGISTER: Operation.REGISTER,
    frames_pb2.OPERATION_STORE: Operation.STORE,
    frames_pb2.OPERATION_RELEASE: Operation.RELEASE,
    frames_pb2.OPERATION_DELETE: Operation.DELETE,
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
        sealed_envelope=call.sealed_envelope,
        transport_key_id=call.transport_key_id,
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
