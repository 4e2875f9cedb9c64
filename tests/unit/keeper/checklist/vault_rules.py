"""What a key vault asks beyond the standard: fourteen rules, each an answer to an attack that others have met."""

from __future__ import annotations

import os
from typing import Final

from fido2 import cbor

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.passkey import BACKUP_STATE, USER_VERIFIED, Forgery
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenant import ORIGIN
from tests.unit.keeper.checklist import credential_set
from tests.unit.keeper.checklist.lines import (
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

_KEEPER: Final = "tests/unit/keeper"
_RULES: Final = f"{_KEEPER}/checklist/test_rules.py"


def _line(step: int, tampering: str, spoil: Spoil | Forgery, outcome: Outcome) -> Line:
    made = forged(spoil) if isinstance(spoil, Forgery) else spoil
    return Line(Section.VAULT, step, tampering, made, outcome)


def _elsewhere(step: int, shows: str, test: str) -> Elsewhere:
    return Elsewhere(Section.VAULT, step, shows, test)


def _changed_bit(call: frames_pb2.JudgeCall) -> None:
    changed = bytearray(call.ceremony)
    changed[40] ^= 1
    call.ceremony = bytes(changed)


def _as_deletion(call: frames_pb2.JudgeCall) -> None:
    call.operation = frames_pb2.OPERATION_DELETE


def _over_another_ceremony(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    """The user signed one release; another one, begun beside it to another recipient, is completed with that."""
    call = person.judge_call(ceremony)
    call.assertion.CopyFrom(person.judge_call(person.begin_release()).assertion)
    return call


def _of_another_account(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    bob = Person(person.desk, "bob")
    bob.enroll()
    call = person.judge_call(ceremony)
    call.ceremony = bob.begin_release().ceremony
    return call


def _after_another_was_judged(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    person.complete(person.begin_release())
    return person.judge_call(ceremony)


def _too_late(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
    call = person.judge_call(ceremony)
    person.desk.clock.advance(seconds=120)
    call.account_token = person.desk.account_token(person.account)
    return call


def _random_credential(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.credential_id = os.urandom(32)


def _other_handle(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.user_handle = os.urandom(32)


ENTRIES: Final[tuple[Entry, ...]] = (
    _line(1, "UV not set", Forgery(clear_flags=USER_VERIFIED), violation("user_verification_missing")),
    _elsewhere(
        1,
        "and nothing is released, whatever else is right",
        f"{_KEEPER}/test_judging_policy.py::test_passkey_without_user_verification_releases_nothing",
    ),
    _line(
        2,
        "a bit of the statement changed",
        edited(_changed_bit),
        unjudged("the tag is not ours", told="CEREMONY_REJECTED"),
    ),
    _line(
        2,
        "a release completed as a deletion",
        edited(_as_deletion),
        unjudged("a ceremony for another operation", told="CEREMONY_REJECTED"),
    ),
    _line(
        2,
        "a ceremony of another account",
        _of_another_account,
        unjudged("a ceremony of another account", told="CEREMONY_REJECTED"),
    ),
    _line(2, "an assertion over another ceremony", _over_another_ceremony, counted("type or challenge")),
    _elsewhere(
        2,
        "a front that names its own recipient has no assertion for it",
        f"{_KEEPER}/test_cheating_front.py::test_front_that_names_its_own_recipient_has_no_assertion_for_it",
    ),
    _line(
        3,
        "a ceremony begun before another was judged",
        _after_another_was_judged,
        unjudged("the record has moved on", told="BEGIN_AGAIN"),
    ),
    _line(3, "a ceremony after its 120 seconds", _too_late, unjudged("", told="CEREMONY_EXPIRED")),
    _elsewhere(
        3,
        "of two completions judged at once one is committed",
        f"{_KEEPER}/test_judging.py::test_of_two_completions_judged_at_once_one_commits",
    ),
    _line(
        4, "a subdomain of the origin", Forgery(client_data={"origin": "https://a.notes.example"}), violation("origin")
    ),
    _line(4, "the origin without TLS", Forgery(client_data={"origin": "http://notes.example"}), violation("origin")),
    _line(4, "the origin with a path", Forgery(client_data={"origin": f"{ORIGIN}/"}), violation("origin")),
    _line(4, "the origin in capitals", Forgery(client_data={"origin": ORIGIN.upper()}), violation("origin")),
    _elsewhere(
        4,
        "origins are the tenant's exact list as configured now; the statement names them",
        f"{_KEEPER}/test_judging_policy.py::test_limits_come_from_the_enrollment_and_live_ones_from_the_tenant",
    ),
    *credential_set.LINES,
    _elsewhere(
        5,
        "nobody registers over a vault that holds something",
        "tests/unit/domain/test_lives.py::test_registration_of_a_live_vault_is_refused_at_both_ends",
    ),
    _elsewhere(
        5,
        "a ceremony binds the credential set of its version",
        f"{_KEEPER}/test_judging_ceremonies.py::test_credential_set_is_bound_by_version_and_head",
    ),
    _elsewhere(
        6,
        "a registration is inert until an assertion stores something under it",
        "tests/unit/domain/test_lives.py::test_registration_is_inert_until_the_first_store",
    ),
    _line(7, "BS set without BE", Forgery(set_flags=BACKUP_STATE), violation("backup_flags")),
    _elsewhere(
        7,
        "a synced passkey is accepted, and its backup state followed",
        f"{_KEEPER}/webauthn/test_assertion.py::test_synced_passkey_is_verified_and_its_backup_state_followed",
    ),
    _line(8, "the counter goes back", Forgery(sign_count=1), violation("counter_regression")),
    _elsewhere(
        8,
        "and that quarantines the credential",
        f"{_KEEPER}/test_judging_policy.py::test_counter_that_goes_back_quarantines_the_credential_for_good",
    ),
    _elsewhere(
        8,
        "of two parallel uses of one counter one wins: the record's version decides",
        f"{_KEEPER}/test_judging.py::test_of_two_completions_judged_at_once_one_commits",
    ),
    _line(9, "user handle of somebody else", edited(_other_handle), violation("user_handle")),
    NotHere(
        Section.VAULT,
        10,
        "nobody can ask about an account but by that account's own token: there is nothing to enumerate",
    ),
    _elsewhere(
        10,
        "another account's row is not answered about",
        f"{_KEEPER}/test_cheating_front.py::test_front_without_the_accounts_token_gets_nothing",
    ),
    _line(11, "unknown credential", edited(_random_credential), unjudged("unknown credential")),
    _line(11, "wrong signature", Forgery(unsigned=True), counted("signature")),
    _elsewhere(
        11,
        "what the caller is told is the same to the last field",
        f"{_KEEPER}/test_judging_policy.py::test_caller_cannot_tell_why_it_was_not_verified",
    ),
    _line(
        12,
        "a clear PRF output among the extensions",
        Forgery(extensions=cbor.encode({"prf": {"results": {"first": bytes(32)}}})),
        unjudged("extensions: clear PRF output"),
    ),
    _elsewhere(
        12,
        "no message has a field for one",
        f"{_RULES}::test_no_message_has_a_place_for_extension_results",
    ),
    _elsewhere(
        13,
        "the token wraps and unwraps nothing before the signature holds, and unwraps after the commit",
        f"{_RULES}::test_token_wraps_and_unwraps_nothing_for_an_assertion_that_is_refused",
    ),
    _elsewhere(
        14,
        "what a credential was granted ends with its quarantine",
        f"{_KEEPER}/test_judging_policy.py::test_quarantine_takes_back_what_the_credential_was_granted",
    ),
    _elsewhere(
        14,
        "a passkey that was removed opens nothing more, and its grants and ceremonies end with it",
        f"{_RULES}::test_removed_passkey_opens_nothing_more_not_even_what_it_was_granted",
    ),
    _elsewhere(
        14,
        "a ceremony dies with the version it began at",
        f"{_KEEPER}/test_judging.py::test_every_other_ceremony_dies_with_the_first_that_is_judged",
    ),
)
