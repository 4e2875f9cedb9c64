"""What an authenticator made, as the protocol's messages. There is no field for a PRF output, and none is looked at."""

from __future__ import annotations

from strongroom.v1 import resources_pb2
from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.recovery_key import RecoveryCredential

_MAX_TRANSPORTS = 8
_MAX_TRANSPORT_CHARACTERS = 32


def assertion_message(assertion: Assertion) -> resources_pb2.Assertion:
    """Return an assertion by a passkey."""
    return resources_pb2.Assertion(
        webauthn=resources_pb2.WebAuthnAssertion(
            credential_id=assertion.credential_id,
            authenticator_data=assertion.authenticator_data,
            client_data_json=assertion.client_data_json,
            signature=assertion.signature,
            user_handle=assertion.user_handle or b"",
        )
    )


def recovery_message(credential: RecoveryCredential, *, challenge: bytes) -> resources_pb2.Assertion:
    """Return an assertion by the recovery credential."""
    return resources_pb2.Assertion(
        recovery=resources_pb2.RecoverySignature(public_key=credential.public_key, signature=credential.sign(challenge))
    )


def attestation_message(attestation: Attestation) -> resources_pb2.Attestation:
    """Return an attestation; transports are hints, so that odd ones are left out."""
    transports = [name for name in attestation.transports if len(name) <= _MAX_TRANSPORT_CHARACTERS]
    return resources_pb2.Attestation(
        credential_id=attestation.credential_id,
        client_data_json=attestation.client_data_json,
        attestation_object=attestation.attestation_object,
        transports=transports[:_MAX_TRANSPORTS],
    )
