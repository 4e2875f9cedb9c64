"""Ceremonies that change a credential set: a passkey comes in, and one goes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, resources_pb2
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenant import ORIGIN, RP_ID

ENVELOPE: Final = b"an envelope for another set"


@dataclass(kw_only=True)
class Addition(Ceremony):
    """An addition, with the ceremony in which the newcomer attests itself."""

    newcomer: SoftwarePasskey
    attest: Ceremony


def begin_addition(person: Person) -> Addition:
    """Begin both of an addition's ceremonies, for a new passkey."""
    newcomer = SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN)
    operation = ceremony_pb2.AddCredentialOperation(
        credential_id=newcomer.credential_id,
        cose_key_sha256=hashlib.sha256(newcomer.cose_key).digest(),
        envelope_sha256=hashlib.sha256(ENVELOPE).digest(),
    )
    request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), add_credential=operation)
    return Addition(
        ceremony=person.begin(request),
        operation=frames_pb2.OPERATION_ADD_CREDENTIAL,
        newcomer=newcomer,
        attest=begin_attest(person, newcomer),
    )


def begin_attest(person: Person, newcomer: SoftwarePasskey) -> Ceremony:
    operation = ceremony_pb2.AttestOperation(user_handle=newcomer.user_handle)
    request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), attest=operation)
    return Ceremony(person.begin(request), frames_pb2.OPERATION_UNSPECIFIED)


def begin_removal(person: Person) -> Ceremony:
    """Begin to remove the person's own passkey; that it is the last is no matter, as there is a recovery credential."""
    return begin_removal_of(person, person.passkey.credential_id)


def begin_removal_of(person: Person, credential_id: bytes) -> Ceremony:
    operation = ceremony_pb2.RemoveCredentialOperation(
        credential_id=credential_id, envelope_sha256=hashlib.sha256(ENVELOPE).digest()
    )
    request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), remove_credential=operation)
    return Ceremony(person.begin(request), frames_pb2.OPERATION_REMOVE_CREDENTIAL)


def change_call(person: Person, ceremony: Ceremony, *, forgery: Forgery = HONEST) -> frames_pb2.JudgeCall:
    """The good completion of one of these."""
    call = person.judge_call(ceremony, forgery=forgery, envelope=ENVELOPE)
    if isinstance(ceremony, Addition):
        attested(call, ceremony.newcomer, ceremony.attest)
    return call


def attested(call: frames_pb2.JudgeCall, newcomer: SoftwarePasskey, attest: Ceremony) -> None:
    """Put the newcomer's attestation in."""
    made = newcomer.make_attestation(attest.challenge)
    call.attest_ceremony = attest.ceremony
    call.attestation.CopyFrom(
        resources_pb2.Attestation(
            credential_id=made.credential_id,
            client_data_json=made.client_data_json,
            attestation_object=made.attestation_object,
            transports=made.transports,
        )
    )


def changed(
    change: Callable[[Person, Addition, frames_pb2.JudgeCall], None],
) -> Callable[[Person, Ceremony], frames_pb2.JudgeCall]:
    """An addition's good completion, changed in one place."""

    def spoil(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
        if not isinstance(ceremony, Addition):
            raise TypeError("an addition is expected")
        call = change_call(person, ceremony)
        change(person, ceremony, call)
        return call

    return spoil
