"""WebAuthn Level 3 section 7.1, "Registering a New Credential", step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fido2 import cbor

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.passkey import (
    ATTESTED,
    BACKUP_ELIGIBLE,
    BACKUP_STATE,
    EDDSA,
    USER_PRESENT,
    USER_VERIFIED,
    Forgery,
)
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
    edited,
    forged,
    unjudged,
)

SELF: Final = Forgery(attestation_format="packed")
_TESTS: Final = "tests/unit/keeper/webauthn"
_EVIL: Final = "https://evil.example"


def _line(step: int, tampering: str, spoil: Spoil | Forgery, outcome: Outcome) -> Line:
    made = forged(spoil) if isinstance(spoil, Forgery) else spoil
    return Line(Section.REGISTRATION, step, tampering, made, outcome, begin=Person.begin_registration)


def _elsewhere(step: int, shows: str, test: str) -> Elsewhere:
    return Elsewhere(Section.REGISTRATION, step, shows, test)


def _not_here(step: int, why: str) -> NotHere:
    return NotHere(Section.REGISTRATION, step, why)


def _object(change: Callable[[dict[str, object]], object]) -> Spoil:
    """Change the attestation object's members."""

    def edit(call: frames_pb2.JudgeCall) -> None:
        members = cbor.decode(call.attestation.attestation_object)
        assert isinstance(members, dict)
        change(members)
        call.attestation.attestation_object = cbor.encode(members)

    return edited(edit)


def _appended(call: frames_pb2.JudgeCall) -> None:
    call.attestation.client_data_json += b" "


def _other_id(call: frames_pb2.JudgeCall) -> None:
    call.attestation.credential_id = bytes(32)


def _assertion_instead(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    call = person.judge_call(ceremony)
    made = person.passkey.make_assertion(ceremony.challenge)
    call.ClearField("attestation")
    call.assertion.webauthn.credential_id = made.credential_id
    call.assertion.webauthn.authenticator_data = made.authenticator_data
    call.assertion.webauthn.client_data_json = made.client_data_json
    call.assertion.webauthn.signature = made.signature
    return call


def _long_id(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    person.passkey.credential_id = bytes(1_024)
    return person.judge_call(ceremony)


def _trailing(call: frames_pb2.JudgeCall) -> None:
    call.attestation.attestation_object += b"\0"


ENTRIES: Final[tuple[Entry, ...]] = (
    _not_here(1, "the client's: it computes the challenge from the statement; another one is refused in step 8"),
    _not_here(2, "the client's: a keeper sees no call that was not made"),
    _line(
        3,
        "assertion in place of an attestation",
        _assertion_instead,
        unjudged("attestation: is required", told="INVALID_FIELD"),
    ),
    _line(
        3,
        "authenticator data that announces no credential",
        Forgery(clear_flags=ATTESTED),
        unjudged("authenticator data: bytes that no flag announces"),
    ),
    _elsewhere(
        3,
        "an assertion's authenticator data in an attestation object is refused",
        f"{_TESTS}/test_attestation.py::test_statement_of_an_assertion_is_not_an_attestation",
    ),
    _elsewhere(
        4,
        "no message has a field for client extension results",
        "tests/unit/keeper/checklist/test_rules.py::test_no_message_has_a_place_for_extension_results",
    ),
    _line(
        5,
        "client data that is not UTF-8",
        Forgery(client_data_json=b"\xff\xfe{}"),
        unjudged("client data: UnicodeDecodeError"),
    ),
    _line(6, "client data that is not JSON", Forgery(client_data_json=b"{]"), unjudged("client data: JSONDecodeError")),
    _line(
        6,
        "client data with a key twice",
        Forgery(client_data_json=b'{"origin":"a","origin":"b"}'),
        unjudged("client data: a key appears twice"),
    ),
    _line(
        7,
        "type webauthn.get",
        Forgery(client_data={"type": "webauthn.get"}),
        unjudged("attestation: type or challenge"),
    ),
    _line(
        8, "another challenge", Forgery(client_data={"challenge": "AAAA"}), unjudged("attestation: type or challenge")
    ),
    _line(9, "another origin", Forgery(client_data={"origin": _EVIL}), unjudged("attestation: origin")),
    _line(
        9,
        "the origin at another port",
        Forgery(client_data={"origin": f"{ORIGIN}:8443"}),
        unjudged("attestation: origin"),
    ),
    _line(10, "crossOrigin true", Forgery(client_data={"crossOrigin": True}), unjudged("attestation: cross origin")),
    _line(11, "a topOrigin", Forgery(client_data={"topOrigin": ORIGIN}), unjudged("attestation: cross origin")),
    _line(
        12,
        "client data changed after a self attestation signed its hash",
        edited(_appended, forgery=SELF),
        unjudged("attestation statement: InvalidSignature"),
    ),
    _line(
        13, "bytes after the attestation object", edited(_trailing), unjudged("attestation object: bytes after the map")
    ),
    _line(
        13,
        "an attestation object without authData",
        _object(lambda members: members.pop("authData")),
        unjudged("attestation object: not exactly its three members"),
    ),
    _line(
        13,
        "authenticator data with a byte that no flag announces",
        Forgery(trailing=b"\0"),
        unjudged("authenticator data: bytes that no flag announces"),
    ),
    _line(
        14, "rpIdHash of another relying party", Forgery(rp_id="evil.example"), unjudged("attestation: relying party")
    ),
    _line(15, "UP not set", Forgery(clear_flags=USER_PRESENT), unjudged("attestation: user_present_missing")),
    _line(16, "UV not set", Forgery(clear_flags=USER_VERIFIED), unjudged("attestation: user_verification_missing")),
    _line(17, "BS set without BE", Forgery(set_flags=BACKUP_STATE), unjudged("attestation: backup_flags")),
    _line(18, "BE set: synced passkeys are welcome", Forgery(set_flags=BACKUP_ELIGIBLE), TAKEN),
    _line(19, "BE and BS set: and so are those synced now", Forgery(set_flags=BACKUP_ELIGIBLE | BACKUP_STATE), TAKEN),
    _line(
        20,
        "a key of an algorithm that this vault does not know",
        Forgery(cose_key=cbor.encode({1: 2, 3: -35})),
        unjudged("credential key: algorithm"),
    ),
    _elsewhere(
        20,
        "a known algorithm that the tenant does not offer is refused",
        f"{_TESTS}/test_attestation.py::test_algorithm_that_was_not_offered_is_refused",
    ),
    _line(21, "format fido-u2f", Forgery(attestation_format="fido-u2f"), unjudged("attestation: format")),
    _line(
        22,
        "self attestation with another signature",
        Forgery(attestation_format="packed", statement={"sig": bytes(70)}),
        unjudged("attestation statement: InvalidSignature"),
    ),
    _line(
        22,
        "self attestation by another algorithm than the key's",
        Forgery(attestation_format="packed", statement={"alg": EDDSA}),
        unjudged("attestation statement: InvalidData"),
    ),
    _line(
        22,
        "a statement in format none",
        Forgery(statement={"alg": EDDSA}),
        unjudged("attestation statement: InvalidData"),
    ),
    _elsewhere(
        23,
        "no trust anchor is asked for: no tenant can demand a make of authenticator in this release",
        f"{_TESTS}/test_attestation_statements.py::test_packed_statement_of_a_security_key_is_verified_though_not_anchored",
    ),
    _elsewhere(
        24,
        "none and self attestation are good enough; what self attestation protects is protected",
        f"{_TESTS}/test_attestation_statements.py::test_self_attestation_protects_each_byte_that_none_leaves_open",
    ),
    _line(
        25,
        "an id of 1024 bytes",
        _long_id,
        unjudged("credential id: 1024 bytes, not 16 to 1023"),
    ),
    _line(
        25,
        "another id outside than inside",
        edited(_other_id),
        unjudged("attestation: credential id outside and inside differ"),
    ),
    _elsewhere(
        26,
        "an id means something in its own record only: registered elsewhere too, it opens nothing there",
        "tests/unit/keeper/checklist/test_rules.py::test_id_of_anothers_credential_opens_nothing_of_theirs",
    ),
    _elsewhere(
        27,
        "all that later checks need is kept",
        f"{_TESTS}/test_attestation.py::test_good_creation_gives_the_credential_to_keep",
    ),
    _line(
        28,
        "an extension output that nobody asked for",
        Forgery(extensions=cbor.encode({"unheard of": [True, b"x"]})),
        TAKEN,
    ),
    _line(
        28,
        "a clear PRF output among the extensions",
        Forgery(extensions=cbor.encode({"prf": {"results": {"first": bytes(32)}}})),
        unjudged("extensions: clear PRF output"),
    ),
    _elsewhere(
        29,
        "nothing is stored of a creation that was refused",
        "tests/unit/keeper/test_judging_policy.py::test_attestation_that_breaks_a_rule_registers_nothing",
    ),
)
