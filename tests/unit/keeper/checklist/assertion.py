"""WebAuthn Level 3 section 7.2, "Verifying an Authentication Assertion", step by step."""

from __future__ import annotations

from typing import Final

from fido2 import cbor

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.passkey import BACKUP_ELIGIBLE, BACKUP_STATE, USER_PRESENT, USER_VERIFIED, Forgery
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenant import ORIGIN
from tests.unit.keeper.checklist.lines import (
    TAKEN,
    Elsewhere,
    Entry,
    Line,
    NotHere,
    Outcome,
    Section,
    Spoil,
    counted,
    edited,
    forged,
    unjudged,
    violation,
)

_EVIL: Final = "https://evil.example"
_FLAGS: Final = 32
_RULES: Final = "tests/unit/keeper/checklist/test_rules.py"


def _line(step: int, tampering: str, spoil: Spoil | Forgery, outcome: Outcome) -> Line:
    made = forged(spoil) if isinstance(spoil, Forgery) else spoil
    return Line(Section.ASSERTION, step, tampering, made, outcome)


def _elsewhere(step: int, shows: str, test: str) -> Elsewhere:
    return Elsewhere(Section.ASSERTION, step, shows, test)


def _not_here(step: int, why: str) -> NotHere:
    return NotHere(Section.ASSERTION, step, why)


def _attestation_instead(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    call = person.judge_call(ceremony)
    made = person.passkey.make_attestation(ceremony.challenge)
    call.ClearField("assertion")
    call.attestation.credential_id = made.credential_id
    call.attestation.client_data_json = made.client_data_json
    call.attestation.attestation_object = made.attestation_object
    return call


def _signed_by_bob(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    """Another account's registered passkey, over this account's ceremony."""
    bob = Person(person.desk, "bob")
    bob.enroll()
    call = person.judge_call(ceremony)
    call.assertion.CopyFrom(bob.judge_call(ceremony).assertion)
    return call


def _unknown_id(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.credential_id = bytes(32)


def _other_handle(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.user_handle = bytes(32)


def _no_handle(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.user_handle = b""


def _no_signature(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.signature = b""


def _cut(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.authenticator_data = call.assertion.webauthn.authenticator_data[:-1]


def _appended(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.client_data_json += b" "


def _verification_claimed(call: frames_pb2.JudgeCall) -> None:
    signed = bytearray(call.assertion.webauthn.authenticator_data)
    signed[_FLAGS] |= USER_VERIFIED
    call.assertion.webauthn.authenticator_data = bytes(signed)


ENTRIES: Final[tuple[Entry, ...]] = (
    _not_here(1, "the client's: it computes the challenge from the statement; another one is counted in step 11"),
    _not_here(2, "the client's: a keeper sees no call that was not made"),
    _line(
        3,
        "attestation in place of an assertion",
        _attestation_instead,
        unjudged("assertion: is required", told="INVALID_FIELD"),
    ),
    _elsewhere(
        4,
        "no message has a field for client extension results",
        f"{_RULES}::test_no_message_has_a_place_for_extension_results",
    ),
    _line(5, "id of a credential that the record does not have", edited(_unknown_id), unjudged("unknown credential")),
    _line(6, "credential of another account", _signed_by_bob, unjudged("unknown credential")),
    _line(6, "user handle of somebody else", edited(_other_handle), violation("user_handle")),
    _line(6, "no user handle, where the credential was named", edited(_no_handle), TAKEN),
    _line(7, "no signature", edited(_no_signature), unjudged("signature: 0 bytes, not 1 to 1024")),
    _line(
        7,
        "authenticator data cut short",
        edited(_cut),
        unjudged("authenticator data: 36 bytes, not 37 to 4096"),
    ),
    _line(
        8,
        "client data that is not UTF-8",
        Forgery(client_data_json=b"\xff\xfe{}"),
        unjudged("client data: UnicodeDecodeError"),
    ),
    _line(9, "client data that is not JSON", Forgery(client_data_json=b"{]"), unjudged("client data: JSONDecodeError")),
    _line(
        9,
        "client data with a key twice",
        Forgery(client_data_json=b'{"origin":"a","origin":"b"}'),
        unjudged("client data: a key appears twice"),
    ),
    _line(10, "type webauthn.create", Forgery(client_data={"type": "webauthn.create"}), counted("type or challenge")),
    _line(10, "type payment.get", Forgery(client_data={"type": "payment.get"}), counted("type or challenge")),
    _line(11, "another challenge", Forgery(client_data={"challenge": "AAAA"}), counted("type or challenge")),
    _line(12, "another origin", Forgery(client_data={"origin": _EVIL}), violation("origin")),
    _line(12, "the origin at another port", Forgery(client_data={"origin": f"{ORIGIN}:8443"}), violation("origin")),
    _line(13, "crossOrigin true", Forgery(client_data={"crossOrigin": True}), violation("cross_origin")),
    _line(
        13,
        "crossOrigin as the text false",
        Forgery(client_data={"crossOrigin": "false"}),
        unjudged("client data: crossOrigin is not a boolean"),
    ),
    _line(14, "a topOrigin", Forgery(client_data={"topOrigin": ORIGIN}), violation("cross_origin")),
    _line(15, "rpIdHash of another relying party", Forgery(rp_id="evil.example"), counted("relying party")),
    _line(16, "UP not set", Forgery(clear_flags=USER_PRESENT), violation("user_present_missing")),
    _line(17, "UV not set", Forgery(clear_flags=USER_VERIFIED), violation("user_verification_missing")),
    _line(18, "BS set without BE", Forgery(set_flags=BACKUP_STATE), violation("backup_flags")),
    _line(
        19,
        "BE set on a passkey registered without",
        Forgery(set_flags=BACKUP_ELIGIBLE),
        violation("backup_eligibility_changed"),
    ),
    _elsewhere(
        19,
        "BE lost by a passkey registered with it is refused",
        "tests/unit/keeper/webauthn/test_assertion.py::test_what_is_stored_of_the_credential_is_compared",
    ),
    _line(20, "client data changed after its hash was signed", edited(_appended), counted("signature")),
    _line(21, "signature over something else", Forgery(unsigned=True), counted("signature")),
    _line(
        21,
        "UV claimed after the authenticator signed without it",
        edited(_verification_claimed, forgery=Forgery(clear_flags=USER_VERIFIED)),
        counted("signature"),
    ),
    _line(22, "the counter stands still", Forgery(sign_count=2), violation("counter_regression")),
    _line(22, "the counter falls to zero", Forgery(sign_count=0), violation("counter_regression")),
    _line(22, "the counter jumps ahead", Forgery(sign_count=2**32 - 1), TAKEN),
    _line(
        23,
        "an extension output that nobody asked for",
        Forgery(extensions=cbor.encode({"unheard of": [True, b"x"]})),
        TAKEN,
    ),
    _line(
        23,
        "a clear PRF output among the extensions",
        Forgery(extensions=cbor.encode({"prf": {"results": {"first": bytes(32)}}})),
        unjudged("extensions: clear PRF output"),
    ),
    _elsewhere(
        24,
        "counter and backup state change with an accepted assertion only",
        f"{_RULES}::test_refused_assertion_leaves_counter_and_backup_state_as_they_were",
    ),
    _line(25, "nothing: the control of this list", Forgery(), TAKEN),
)
