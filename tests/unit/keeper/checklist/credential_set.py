"""The fifth rule beyond the standard: a credential set changes by its own members, over exactly what comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.passkey import Forgery, SoftwarePasskey
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenant import ORIGIN, RP_ID
from tests.unit.keeper.checklist.changes import (
    Addition,
    attested,
    begin_addition,
    begin_attest,
    begin_removal,
    change_call,
    changed,
)
from tests.unit.keeper.checklist.lines import TAKEN, Line, Outcome, Section, counted, unjudged


def _addition(
    tampering: str, change: Callable[[Person, Addition, frames_pb2.JudgeCall], None], outcome: Outcome
) -> Line:
    return Line(Section.VAULT, 5, f"an addition: {tampering}", changed(change), outcome, begin=begin_addition)


def _nothing(_person: Person, _addition: Addition, _call: frames_pb2.JudgeCall) -> None:
    """The control."""


def _another_attested(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    attested(call, SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN), addition.attest)


def _another_key_attested(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    """What "none" attestation leaves open: anybody on the way can put a key of theirs under the new id."""
    twin = SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN)
    twin.credential_id = addition.newcomer.credential_id
    attested(call, twin, addition.attest)


def _attested_in_the_addition(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    attested(call, addition.newcomer, addition)
    call.attest_ceremony = addition.attest.ceremony


def _attested_for_another(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    bob = Person(person.desk, "bob")
    bob.enroll()
    attested(call, addition.newcomer, begin_attest(bob, addition.newcomer))


def _addition_for_attestation(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    attested(call, addition.newcomer, addition)


def _signed_by_nobody(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    call.ClearField("assertion")


def _signed_by_the_newcomer(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    call.assertion.CopyFrom(Person(person.desk, passkey=addition.newcomer).judge_call(addition).assertion)


def _wrongly_signed(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    call.assertion.CopyFrom(person.judge_call(addition, forgery=Forgery(unsigned=True)).assertion)


def _another_envelope(person: Person, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    call.sealed_envelope, call.transport_key_id = person.seal(addition, b"another envelope")


def _removal_by_recovery(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    call = change_call(person, ceremony)
    call.assertion.CopyFrom(person.recovery_call(ceremony).assertion)
    return call


def _removal_wrongly_signed(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    return change_call(person, ceremony, forgery=Forgery(unsigned=True))


LINES: Final = (
    _addition("nothing, the control", _nothing, TAKEN),
    _addition(
        "another passkey attested than the one that was signed for",
        _another_attested,
        unjudged("another credential was attested than the one named"),
    ),
    _addition(
        "another key attested under the id that was signed for",
        _another_key_attested,
        unjudged("the attested credential has another key than the one named"),
    ),
    _addition(
        "the newcomer attested over the wrong one of the two ceremonies",
        _attested_in_the_addition,
        unjudged("attestation: type or challenge"),
    ),
    _addition(
        "the addition itself in place of the ceremony to attest in",
        _addition_for_attestation,
        unjudged("a ceremony for another operation", told="CEREMONY_REJECTED"),
    ),
    _addition(
        "the newcomer attested for another account",
        _attested_for_another,
        unjudged("a ceremony of another account", told="CEREMONY_REJECTED"),
    ),
    _addition("without an assertion", _signed_by_nobody, unjudged("assertion: is required", told="INVALID_FIELD")),
    _addition("signed by the newcomer itself", _signed_by_the_newcomer, unjudged("unknown credential")),
    _addition("with a wrong signature", _wrongly_signed, counted("signature")),
    _addition(
        "another envelope than the one that was signed for",
        _another_envelope,
        unjudged("the sealed envelope is not the one that the request named"),
    ),
    Line(
        Section.VAULT,
        5,
        "a removal by the recovery credential",
        _removal_by_recovery,
        unjudged("the recovery credential may not remove_credential"),
        begin=begin_removal,
    ),
    Line(
        Section.VAULT,
        5,
        "a removal with a wrong signature",
        _removal_wrongly_signed,
        counted("signature"),
        begin=begin_removal,
    ),
)
