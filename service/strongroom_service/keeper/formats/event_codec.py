"""Events as bytes: strongroom.keeper.v1.SealedEventContent, which is then sealed; and as the account is shown them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from strongroom.keeper.v1 import record_pb2
from strongroom.v1 import event_pb2, resources_pb2
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.keeper.formats.enums import OPERATIONS, OUTCOMES, SWEPT
from strongroom_service.keeper.formats.statement import optional_timestamp_of, timestamp_of

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import RecoverySignature
    from strongroom_service.domain.events import Event

FORMAT = 1


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    """An event out of its seal, with whose it is and the chain head that it was sealed after."""

    tenant: str
    account: str
    previous_head: bytes
    event: event_pb2.Event


def encode_event(event: Event, *, tenant: str, account: str, previous_head: bytes) -> bytes:
    """Serialize an event for sealing, together with whose it is and the chain head before it."""
    evidence = event.evidence
    message = event_pb2.Event(
        version=event.version,
        event_time=timestamp_of(event.at),
        kind=OPERATIONS[event.operation],
        outcome=OUTCOMES[event.outcome],
        reason=event.reason,
        failures=event.failures,
        ceremony=evidence.ceremony,
        assertion=_assertion_message(evidence.assertion) if evidence.assertion is not None else None,
        attestation=_attestation_message(evidence.attestation) if evidence.attestation is not None else None,
        cose_key=evidence.cose_key,
        envelope_sha256=event.envelope_sha256,
        archive_versions=event.archive_versions,
        attest_ceremony=evidence.attest_ceremony,
        about_set_aside=event.about_set_aside,
        swept=[SWEPT[each] for each in event.swept],
        erase_time=optional_timestamp_of(event.erase_at),
    )
    content = record_pb2.SealedEventContent(
        format=FORMAT, previous_head=previous_head, event=message, tenant=tenant, account=account
    )
    return content.SerializeToString(deterministic=True)


def decode_event(serialized: bytes) -> OpenedEvent:
    """Return the event behind an opened seal.

    Raises:
        RecordRejected: it is of a format that this release does not know.
    """
    try:
        content = record_pb2.SealedEventContent.FromString(serialized)
    except DecodeError as error:
        detail = "an opened event does not parse"
        raise RecordRejected(detail) from error
    if content.format != FORMAT:
        detail = f"event format {content.format} is not known to this release"
        raise RecordRejected(detail)
    return OpenedEvent(
        tenant=content.tenant, account=content.account, previous_head=content.previous_head, event=content.event
    )


def _assertion_message(assertion: WebAuthnAssertion | RecoverySignature) -> resources_pb2.Assertion:
    if isinstance(assertion, WebAuthnAssertion):
        return resources_pb2.Assertion(
            webauthn=resources_pb2.WebAuthnAssertion(
                credential_id=assertion.credential_id,
                authenticator_data=assertion.authenticator_data,
                client_data_json=assertion.client_data_json,
                signature=assertion.signature,
                user_handle=assertion.user_handle or b"",
            )
        )
    return resources_pb2.Assertion(
        recovery=resources_pb2.RecoverySignature(public_key=assertion.public_key, signature=assertion.signature)
    )


def _attestation_message(attestation: WebAuthnAttestation) -> resources_pb2.Attestation:
    return resources_pb2.Attestation(
        credential_id=attestation.credential_id,
        client_data_json=attestation.client_data_json,
        attestation_object=attestation.attestation_object,
        transports=attestation.transports,
    )
