"""Between the messages of vault_service.proto and the values of the use cases; the shape of each field is checked here.

What a field means is the keeper's affair. Field paths in errors are those of the proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_service.application.keepers import Completion
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import InvalidField

if TYPE_CHECKING:
    from strongroom_service.application.keepers import BegunCeremony, SignedReply

NONCE_BYTES: Final = 32
MAX_REQUEST_BYTES: Final = 1_024
MAX_CEREMONY_BYTES: Final = 8 * 1_024
MAX_PAGE_TOKEN_BYTES: Final = 256
MAX_CREDENTIAL_ID_BYTES: Final = 1_023
MAX_CLIENT_DATA_BYTES: Final = 4 * 1_024
MAX_AUTHENTICATOR_DATA_BYTES: Final = 4 * 1_024
MAX_ATTESTATION_OBJECT_BYTES: Final = 32 * 1_024
MAX_SIGNATURE_BYTES: Final = 5 * 1_024
MAX_USER_HANDLE_BYTES: Final = 64
MAX_TRANSPORTS: Final = 8
MAX_TRANSPORT_CHARACTERS: Final = 32
RECOVERY_KEY_BYTES: Final = 32
RECOVERY_SIGNATURE_BYTES: Final = 64
TRANSPORT_KEY_ID_BYTES: Final = 16
# HPKE: 32 bytes of encapsulated key and 16 of tag around the client secret (32) and the envelope (1 byte to 16 KiB).
_SEALED_OVERHEAD_BYTES: Final = 32 + 16 + 32
MAX_SEALED_ENVELOPE_BYTES: Final = _SEALED_OVERHEAD_BYTES + 16 * 1_024

SignedResponse = TypeVar(
    "SignedResponse",
    vault_service_pb2.GetServiceInfoResponse,
    vault_service_pb2.GetVaultResponse,
    vault_service_pb2.CompleteRegistrationResponse,
    vault_service_pb2.StoreEnvelopeResponse,
    vault_service_pb2.ReleaseEnvelopeResponse,
    vault_service_pb2.DeleteVaultResponse,
    vault_service_pb2.ListEventsResponse,
)


def nonce_of(
    message: vault_service_pb2.GetServiceInfoRequest
    | vault_service_pb2.GetVaultRequest
    | vault_service_pb2.ListEventsRequest,
) -> bytes:
    """Return the nonce. All functions here that read a request raise InvalidField."""
    return _exactly(NONCE_BYTES, message.nonce, field="nonce")


def page_token_of(message: vault_service_pb2.ListEventsRequest) -> bytes:
    """Return the page token, empty for the newest page."""
    return _sized(message.page_token, field="page_token", least=0, most=MAX_PAGE_TOKEN_BYTES)


def ceremony_request_of(message: vault_service_pb2.BeginCeremonyRequest) -> bytes:
    """Return the serialized CeremonyRequest; the keeper reads it."""
    return _sized(message.request, field="request", least=1, most=MAX_REQUEST_BYTES)


def registration_of(message: vault_service_pb2.CompleteRegistrationRequest) -> Completion:
    """Return what completes a registration."""
    return Completion(
        operation=Operation.REGISTER, ceremony=_ceremony_of(message), attestation=_attestation_of(message)
    )


def store_of(message: vault_service_pb2.StoreEnvelopeRequest) -> Completion:
    """Return what completes a store."""
    return Completion(
        operation=Operation.STORE,
        ceremony=_ceremony_of(message),
        assertion=_assertion_of(message),
        sealed_envelope=_sized(
            message.sealed_envelope,
            field="sealed_envelope",
            least=_SEALED_OVERHEAD_BYTES + 1,
            most=MAX_SEALED_ENVELOPE_BYTES,
        ),
        transport_key_id=_exactly(TRANSPORT_KEY_ID_BYTES, message.transport_key_id, field="transport_key_id"),
    )


def release_of(message: vault_service_pb2.ReleaseEnvelopeRequest) -> Completion:
    """Return what completes a release."""
    return Completion(operation=Operation.RELEASE, ceremony=_ceremony_of(message), assertion=_assertion_of(message))


def delete_of(message: vault_service_pb2.DeleteVaultRequest) -> Completion:
    """Return what completes a delete."""
    return Completion(operation=Operation.DELETE, ceremony=_ceremony_of(message), assertion=_assertion_of(message))


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


def _ceremony_of(
    message: vault_service_pb2.CompleteRegistrationRequest
    | vault_service_pb2.StoreEnvelopeRequest
    | vault_service_pb2.ReleaseEnvelopeRequest
    | vault_service_pb2.DeleteVaultRequest,
) -> bytes:
    return _sized(message.ceremony, field="ceremony", least=1, most=MAX_CEREMONY_BYTES)


def _attestation_of(message: vault_service_pb2.CompleteRegistrationRequest) -> WebAuthnAttestation:
    if not message.HasField("attestation"):
        raise InvalidField(field="attestation", rule="is required")
    given = message.attestation
    if len(given.transports) > MAX_TRANSPORTS:
        raise InvalidField(field="attestation.transports", rule=f"must be at most {MAX_TRANSPORTS}")
    if any(len(transport) > MAX_TRANSPORT_CHARACTERS for transport in given.transports):
        rule = f"must each be at most {MAX_TRANSPORT_CHARACTERS} characters"
        raise InvalidField(field="attestation.transports", rule=rule)
    return WebAuthnAttestation(
        credential_id=_credential_id(given.credential_id, field="attestation.credential_id"),
        client_data_json=_client_data(given.client_data_json, field="attestation.client_data_json"),
        attestation_object=_sized(
            given.attestation_object,
            field="attestation.attestation_object",
            least=1,
            most=MAX_ATTESTATION_OBJECT_BYTES,
        ),
        transports=tuple(given.transports),
    )


def _assertion_of(
    message: vault_service_pb2.StoreEnvelopeRequest
    | vault_service_pb2.ReleaseEnvelopeRequest
    | vault_service_pb2.DeleteVaultRequest,
) -> WebAuthnAssertion | RecoverySignature:
    kind = message.assertion.WhichOneof("kind")
    if kind == "webauthn":
        return _webauthn_of(message.assertion.webauthn)
    if kind == "recovery":
        return _recovery_of(message.assertion.recovery)
    raise InvalidField(field="assertion.kind", rule="is required: exactly one")


def _webauthn_of(given: resources_pb2.WebAuthnAssertion) -> WebAuthnAssertion:
    path = "assertion.webauthn"
    user_handle = _sized(given.user_handle, field=f"{path}.user_handle", least=0, most=MAX_USER_HANDLE_BYTES)
    return WebAuthnAssertion(
        credential_id=_credential_id(given.credential_id, field=f"{path}.credential_id"),
        authenticator_data=_sized(
            given.authenticator_data, field=f"{path}.authenticator_data", least=1, most=MAX_AUTHENTICATOR_DATA_BYTES
        ),
        client_data_json=_client_data(given.client_data_json, field=f"{path}.client_data_json"),
        signature=_sized(given.signature, field=f"{path}.signature", least=1, most=MAX_SIGNATURE_BYTES),
        user_handle=user_handle or None,
    )


def _recovery_of(given: resources_pb2.RecoverySignature) -> RecoverySignature:
    path = "assertion.recovery"
    return RecoverySignature(
        public_key=_exactly(RECOVERY_KEY_BYTES, given.public_key, field=f"{path}.public_key"),
        signature=_exactly(RECOVERY_SIGNATURE_BYTES, given.signature, field=f"{path}.signature"),
    )


def _credential_id(value: bytes, *, field: str) -> bytes:
    return _sized(value, field=field, least=1, most=MAX_CREDENTIAL_ID_BYTES)


def _client_data(value: bytes, *, field: str) -> bytes:
    return _sized(value, field=field, least=1, most=MAX_CLIENT_DATA_BYTES)


def _exactly(size: int, value: bytes, *, field: str) -> bytes:
    if len(value) != size:
        raise InvalidField(field=field, rule=f"must be {size} bytes")
    return value


def _sized(value: bytes, *, field: str, least: int, most: int) -> bytes:
    if not least <= len(value) <= most:
        raise InvalidField(field=field, rule=f"must be {least} to {most} bytes")
    return value
