"""Attestations and assertions out of their messages. Shapes are checked; what they mean is the keeper's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.domain.ceremonies import RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import InvalidField
from strongroom_service.front.fields import exactly, sized

if TYPE_CHECKING:
    from strongroom.v1 import resources_pb2, vault_service_pb2

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


class WithAssertion(Protocol):
    """A message that brings an assertion."""

    @property
    def assertion(self) -> resources_pb2.Assertion:
        """What authorizes the operation."""


def attestation_of(
    message: vault_service_pb2.CompleteRegistrationRequest | vault_service_pb2.AddCredentialRequest,
) -> WebAuthnAttestation:
    """Return the attestation. Raises InvalidField."""
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
        attestation_object=sized(
            given.attestation_object,
            field="attestation.attestation_object",
            least=1,
            most=MAX_ATTESTATION_OBJECT_BYTES,
        ),
        transports=tuple(given.transports),
    )


def assertion_of(message: WithAssertion) -> WebAuthnAssertion | RecoverySignature:
    """Return the assertion, by a passkey or by the recovery credential. Raises InvalidField."""
    kind = message.assertion.WhichOneof("kind")
    if kind == "webauthn":
        return _webauthn_of(message.assertion.webauthn)
    if kind == "recovery":
        return _recovery_of(message.assertion.recovery)
    raise InvalidField(field="assertion.kind", rule="is required: exactly one")


def _webauthn_of(given: resources_pb2.WebAuthnAssertion) -> WebAuthnAssertion:
    path = "assertion.webauthn"
    user_handle = sized(given.user_handle, field=f"{path}.user_handle", least=0, most=MAX_USER_HANDLE_BYTES)
    return WebAuthnAssertion(
        credential_id=_credential_id(given.credential_id, field=f"{path}.credential_id"),
        authenticator_data=sized(
            given.authenticator_data, field=f"{path}.authenticator_data", least=1, most=MAX_AUTHENTICATOR_DATA_BYTES
        ),
        client_data_json=_client_data(given.client_data_json, field=f"{path}.client_data_json"),
        signature=sized(given.signature, field=f"{path}.signature", least=1, most=MAX_SIGNATURE_BYTES),
        user_handle=user_handle or None,
    )


def _recovery_of(given: resources_pb2.RecoverySignature) -> RecoverySignature:
    path = "assertion.recovery"
    return RecoverySignature(
        public_key=exactly(RECOVERY_KEY_BYTES, given.public_key, field=f"{path}.public_key"),
        signature=exactly(RECOVERY_SIGNATURE_BYTES, given.signature, field=f"{path}.signature"),
    )


def _credential_id(value: bytes, *, field: str) -> bytes:
    return sized(value, field=field, least=1, most=MAX_CREDENTIAL_ID_BYTES)


def _client_data(value: bytes, *, field: str) -> bytes:
    return sized(value, field=field, least=1, most=MAX_CLIENT_DATA_BYTES)
