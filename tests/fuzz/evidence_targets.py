"""What the client checks again of a history: who signed for each event."""

from __future__ import annotations

import functools

from google.protobuf.message import DecodeError

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.verification.evidence import examine_evidence
from strongroom_client.verification.statements import challenge_of
from strongroom_client.verification.webauthn import NotSigned, attested_credential, check_assertion
from tests.fakes.client import client_of
from tests.fakes.vault import ACCOUNT, RP_ID, TENANT, FakeVault
from tests.fuzz import honest
from tests.fuzz.target import Target


@functools.cache
def lived() -> tuple[event_pb2.Event, ...]:
    """The history of an account that has added and removed passkeys, and was reset and reopened."""
    first, second = (
        InsecureSoftwareAuthenticator(state_path=honest.scratch() / name) for name in ("fuzz-one", "fuzz-two")
    )
    client = client_of(FakeVault())
    enrolled = client.enroll(first, user_name=ACCOUNT)
    client.add_passkey(second, user_name=ACCOUNT, by=enrolled.recovery_key)
    client.remove_passkey(second, enrolled.credential_id)
    client.reset()
    client.reopen_set_aside(second)
    return tuple(event.message for event in client.history())


def evidence(data: bytes) -> None:
    """Examine the events of a page as a whole history."""
    reply = vault_service_pb2.ListEventsReply.FromString(data)
    examine_evidence(reply.events, tenant=TENANT, account=ACCOUNT)


def event_after_honest_ones(data: bytes) -> None:
    """Examine any event as the next one of an honest history."""
    examine_evidence([*lived(), event_pb2.Event.FromString(data)], tenant=TENANT, account=ACCOUNT)


def attestation(data: bytes) -> None:
    attested_credential(resources_pb2.Attestation.FromString(data))


def assertion(data: bytes) -> None:
    event = event_pb2.Event.FromString(data)
    challenge = challenge_of(event.ceremony)
    check_assertion(event.assertion.webauthn, cose_key=event.cose_key, challenge=challenge, rp_id=RP_ID)


def assertions() -> list[bytes]:
    return [event.SerializeToString() for event in lived() if event.assertion.HasField("webauthn")]


TARGETS = {
    "evidence": Target(
        parse=evidence,
        refusals=(DecodeError,),
        seeds=lambda: [vault_service_pb2.ListEventsReply(events=lived()).SerializeToString()],
    ),
    "event_evidence": Target(
        parse=event_after_honest_ones,
        refusals=(DecodeError,),
        seeds=lambda: [event.SerializeToString() for event in lived()],
    ),
    "attestation_evidence": Target(
        parse=attestation,
        refusals=(DecodeError, NotSigned),
        seeds=lambda: [event.attestation.SerializeToString() for event in lived() if event.HasField("attestation")],
    ),
    "assertion_evidence": Target(parse=assertion, refusals=(DecodeError, NotSigned), seeds=assertions),
}
