"""Between the messages of vault_service.proto and the values of the use cases; the shape of each field is checked here.

What a field means is the keeper's affair. Field paths in errors are those of the proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from strongroom.v1 import resources_pb2, tenant_service_pb2, vault_service_pb2
from strongroom_service.application.keepers import Completion
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import InvalidField
from strongroom_service.front.assertions import WithAssertion, assertion_of, attestation_of
from strongroom_service.front.fields import exactly, sized
from strongroom_service.tokens.account_claims import check_account_name

if TYPE_CHECKING:
    from strongroom_service.application.keepers import BegunCeremony, SignedReply

NONCE_BYTES: Final = 32
MAX_REQUEST_BYTES: Final = 2_048
MAX_CEREMONY_BYTES: Final = 8 * 1_024
MAX_PAGE_TOKEN_BYTES: Final = 256
TRANSPORT_KEY_ID_BYTES: Final = 16
MAX_CURSOR_BYTES: Final = 256
STORE_SECRET_BYTES: Final = 32
MAX_ENVELOPE_BYTES: Final = 16 * 1_024
# HPKE: 32 bytes of encapsulated key and 16 of tag.
_HPKE_OVERHEAD_BYTES: Final = 32 + 16

SignedResponse = TypeVar(
    "SignedResponse",
    vault_service_pb2.GetServiceInfoResponse,
    vault_service_pb2.GetVaultResponse,
    vault_service_pb2.CompleteRegistrationResponse,
    vault_service_pb2.StoreEnvelopeResponse,
    vault_service_pb2.ReleaseEnvelopeResponse,
    vault_service_pb2.DeleteVaultResponse,
    vault_service_pb2.AddCredentialResponse,
    vault_service_pb2.RemoveCredentialResponse,
    vault_service_pb2.SetRecoveryResponse,
    vault_service_pb2.ReopenResponse,
    vault_service_pb2.LiftQuarantineResponse,
    vault_service_pb2.SetPolicyResponse,
    vault_service_pb2.ResetVaultResponse,
    vault_service_pb2.ListEventsResponse,
    tenant_service_pb2.ListTenantEventsResponse,
    tenant_service_pb2.EraseAccountResponse,
    tenant_service_pb2.CancelEraseAccountResponse,
)


class _WithNonce(Protocol):
    @property
    def nonce(self) -> bytes: ...


class _WithCeremony(Protocol):
    @property
    def ceremony(self) -> bytes: ...


class _Asserted(_WithCeremony, WithAssertion, Protocol): ...


class _WithEnvelope(Protocol):
    @property
    def sealed_envelope(self) -> bytes: ...
    @property
    def transport_key_id(self) -> bytes: ...


def nonce_of(message: _WithNonce) -> bytes:
    """Return the nonce. All functions here that read a request raise InvalidField."""
    return exactly(NONCE_BYTES, message.nonce, field="nonce")


def page_token_of(message: vault_service_pb2.ListEventsRequest) -> bytes:
    """Return the page token, empty for the newest page."""
    return sized(message.page_token, field="page_token", least=0, most=MAX_PAGE_TOKEN_BYTES)


def ceremony_request_of(message: vault_service_pb2.BeginCeremonyRequest) -> bytes:
    """Return the serialized CeremonyRequest; the keeper reads it."""
    return sized(message.request, field="request", least=1, most=MAX_REQUEST_BYTES)


def registration_of(message: vault_service_pb2.CompleteRegistrationRequest) -> Completion:
    """Return what completes a registration."""
    return Completion(operation=Operation.REGISTER, ceremony=_ceremony_of(message), attestation=attestation_of(message))


def store_of(message: vault_service_pb2.StoreEnvelopeRequest) -> Completion:
    """Return what completes a store."""
    return Completion(
        operation=Operation.STORE,
        ceremony=_ceremony_of(message),
        assertion=assertion_of(message),
        sealed_envelope=_sealed_envelope_of(message, secret_bytes=STORE_SECRET_BYTES),
        transport_key_id=_transport_key_id_of(message),
    )


def addition_of(message: vault_service_pb2.AddCredentialRequest) -> Completion:
    """Return what completes an addition."""
    return Completion(
        operation=Operation.ADD_CREDENTIAL,
        ceremony=_ceremony_of(message),
        assertion=assertion_of(message),
        attest_ceremony=sized(message.attest_ceremony, field="attest_ceremony", least=1, most=MAX_CEREMONY_BYTES),
        attestation=attestation_of(message),
        sealed_envelope=_sealed_envelope_of(message),
        transport_key_id=_transport_key_id_of(message),
    )


def removal_of(message: vault_service_pb2.RemoveCredentialRequest) -> Completion:
    """Return what completes a removal."""
    return _completion_with_envelope(Operation.REMOVE_CREDENTIAL, message, message)


def recovery_change_of(message: vault_service_pb2.SetRecoveryRequest) -> Completion:
    """Return what completes a replacement of the recovery credential."""
    return _completion_with_envelope(Operation.SET_RECOVERY, message, message)


def release_of(message: vault_service_pb2.ReleaseEnvelopeRequest) -> Completion:
    """Return what completes a release."""
    return _asserted(Operation.RELEASE, message)


def delete_of(message: vault_service_pb2.DeleteVaultRequest) -> Completion:
    """Return what completes a delete."""
    return _asserted(Operation.DELETE, message)


def reopening_of(message: vault_service_pb2.ReopenRequest) -> Completion:
    """Return what completes a reopening."""
    return _asserted(Operation.REOPEN, message)


def lift_of(message: vault_service_pb2.LiftQuarantineRequest) -> Completion:
    """Return what completes a lift of a quarantine."""
    return _asserted(Operation.LIFT_QUARANTINE, message)


def policy_change_of(message: vault_service_pb2.SetPolicyRequest) -> Completion:
    """Return what completes a change of the limits."""
    return _asserted(Operation.SET_POLICY, message)


def reset_of(message: vault_service_pb2.ResetVaultRequest) -> Completion:
    """Return the order of a reset."""
    return Completion(operation=Operation.RESET, nonce=nonce_of(message))


def erasure_of(message: tenant_service_pb2.EraseAccountRequest) -> Completion:
    """Return the order of an erasure."""
    return Completion(operation=Operation.ERASE_ACCOUNT, nonce=nonce_of(message))


def erasure_cancel_of(message: tenant_service_pb2.CancelEraseAccountRequest) -> Completion:
    """Return the order that takes an erasure back."""
    return Completion(operation=Operation.CANCEL_ERASE_ACCOUNT, nonce=nonce_of(message))


def account_of(
    message: tenant_service_pb2.EraseAccountRequest | tenant_service_pb2.CancelEraseAccountRequest,
) -> str:
    """Return the account that the tenant speaks about."""
    try:
        return check_account_name(message.account)
    except ValueError as error:
        raise InvalidField(field="account", rule=str(error)) from None


def cursor_of(message: tenant_service_pb2.ListTenantEventsRequest) -> bytes:
    """Return the cursor, empty for the beginning."""
    return sized(message.cursor, field="cursor", least=0, most=MAX_CURSOR_BYTES)


def signed_response(kind: type[SignedResponse], signed: SignedReply) -> SignedResponse:
    """Return the response message of type `kind`; all but BeginCeremony's have the same two fields."""
    receipt = signed.receipt
    return kind(
        reply=signed.reply,
        receipt=resources_pb2.Receipt(
            signature=receipt.signature,
            identity_fingerprint=receipt.identity_fingerprint,
            version=receipt.version,
            chain_head=receipt.chain_head,
        ),
    )


def begun_response(begun: BegunCeremony) -> vault_service_pb2.BeginCeremonyResponse:
    """Return the ceremony as a message."""
    return vault_service_pb2.BeginCeremonyResponse(
        ceremony=begun.ceremony,
        credentials=[
            resources_pb2.Credential(
                credential_id=credential.credential_id,
                cose_key=credential.cose_key,
                transports=credential.transports,
            )
            for credential in begun.credentials
        ],
        recovery_public_key=begun.recovery_public_key,
    )


def _asserted(operation: Operation, message: _Asserted) -> Completion:
    return Completion(operation=operation, ceremony=_ceremony_of(message), assertion=assertion_of(message))


def _completion_with_envelope(operation: Operation, message: _Asserted, envelope: _WithEnvelope) -> Completion:
    return replace(
        _asserted(operation, message),
        sealed_envelope=_sealed_envelope_of(envelope),
        transport_key_id=_transport_key_id_of(envelope),
    )


def _sealed_envelope_of(message: _WithEnvelope, *, secret_bytes: int = 0) -> bytes:
    """Return the sealed envelope, in front of which a store seals a secret."""
    overhead = _HPKE_OVERHEAD_BYTES + secret_bytes
    return sized(
        message.sealed_envelope, field="sealed_envelope", least=overhead + 1, most=overhead + MAX_ENVELOPE_BYTES
    )


def _transport_key_id_of(message: _WithEnvelope) -> bytes:
    return exactly(TRANSPORT_KEY_ID_BYTES, message.transport_key_id, field="transport_key_id")


def _ceremony_of(message: _WithCeremony) -> bytes:
    return sized(message.ceremony, field="ceremony", least=1, most=MAX_CEREMONY_BYTES)
