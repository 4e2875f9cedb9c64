"""Passkeys let in and taken out before the real keeper: only the one that was named, by whom may, at one version."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2, vault_service_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import Addition, Owner, enrolled, make_passkey
from tests.fakes.passkey import USER_VERIFIED, Forgery
from tests.fakes.person import attestation_message, refuses

WRONG = Forgery(unsigned=True)


@pytest.fixture
def owner(desk: Desk) -> Owner:
    return enrolled(desk)


def is_untouched(owner: Owner, *, version: int = 2) -> bool:
    """One passkey, all attempts, and no change since `version`."""
    shown = owner.shown()
    return (len(shown.credentials), shown.attempts_left, owner.row().version) == (1, 10, version)


def refuses_addition(reason: str, owner: Owner, addition: Addition, call: frames_pb2.JudgeCall) -> None:
    """It is refused unjudged: the honest completion of the same ceremonies is still granted."""
    before = owner.row().version
    refuses(reason, owner, addition.add, call)
    assert is_untouched(owner, version=before)


# Adding


def test_passkey_that_was_added_opens_the_vault_by_itself(owner: Owner) -> None:
    addition = owner.begin_addition(envelope=b"for both")
    signed = owner.complete_call(addition.add, owner.addition_call(addition))
    reply = vault_service_pb2.AddCredentialReply.FromString(signed.reply)
    assert (reply.archive_version, reply.envelope_sha256) == (3, hashlib.sha256(b"for both").digest())
    owner.passkey = addition.passkey
    (released,) = owner.release()
    assert released.envelope == b"for both"


def test_event_of_an_addition_holds_the_evidence_for_both(owner: Owner) -> None:
    addition = owner.begin_addition()
    owner.complete_call(addition.add, owner.addition_call(addition))
    event = owner.desk.list_events("alice").events[0]
    assert (event.kind, event.outcome) == (event_pb2.EVENT_KIND_ADD_CREDENTIAL, event_pb2.EVENT_OUTCOME_GRANTED)
    assert (event.ceremony, event.attest_ceremony) == (addition.add.ceremony, addition.attest.ceremony)
    assert event.assertion.webauthn.credential_id == owner.passkey.credential_id
    assert event.cose_key == owner.passkey.cose_key
    assert event.attestation.credential_id == addition.passkey.credential_id
    assert event.envelope_sha256 == hashlib.sha256(addition.envelope).digest()


@pytest.mark.parametrize("forgery", [WRONG, Forgery(clear_flags=USER_VERIFIED)], ids=["failed", "refused"])
def test_event_of_an_addition_that_was_not_granted_lets_nobody_in(owner: Owner, forgery: Forgery) -> None:
    """An attestation in it could be taken for that of a passkey that is in."""
    addition = owner.begin_addition()
    with refused_for("NOT_VERIFIED"):
        owner.complete_call(addition.add, owner.addition_call(addition, forgery=forgery))
    event = owner.desk.list_events("alice").events[0]
    assert event.outcome in {event_pb2.EVENT_OUTCOME_FAILED, event_pb2.EVENT_OUTCOME_REFUSED}
    assert not event.HasField("attestation")
    assert (event.attest_ceremony, event.envelope_sha256, list(event.archive_versions)) == (b"", b"", [])
    assert [each.credential_id for each in owner.shown().credentials] == [owner.passkey.credential_id]


def test_failed_addition_is_a_counted_failure(owner: Owner) -> None:
    addition = owner.begin_addition()
    with refused_for("NOT_VERIFIED"):
        owner.complete_call(addition.add, owner.addition_call(addition, forgery=WRONG))
    assert owner.shown().attempts_left == 9
    assert [each.archive_version for each in owner.shown().archives] == [2]


def test_addition_is_answered_again_and_judged_once(owner: Owner) -> None:
    addition = owner.begin_addition()
    first = owner.complete_call(addition.add, owner.addition_call(addition))
    again = owner.complete_call(addition.add, owner.addition_call(addition, forgery=WRONG))
    assert (first.reply, first.receipt.version) == (again.reply, again.receipt.version)
    assert owner.shown().attempts_left == 10


@pytest.mark.parametrize("named", ["credential_id", "cose_key_sha256", "envelope_sha256"])
def test_addition_of_another_than_the_one_named_is_refused_unjudged(owner: Owner, named: str) -> None:
    """The user's assertion is over the name: a front cannot bring a passkey or an envelope of its own."""
    addition = owner.begin_addition(named={named: os.urandom(32)})
    refuses_addition("NOT_VERIFIED", owner, addition, owner.addition_call(addition))


def test_front_that_brings_its_own_passkey_to_a_users_addition_is_refused(owner: Owner) -> None:
    addition = owner.begin_addition()
    call = owner.addition_call(addition)
    planted = make_passkey()
    attest = owner.begin_attest(planted)
    call.attest_ceremony = attest.ceremony
    call.attestation.CopyFrom(attestation_message(planted, attest.challenge))
    refuses_addition("NOT_VERIFIED", owner, addition, call)
    owner.complete_call(addition.add, owner.addition_call(addition))


def test_front_that_brings_its_own_key_under_the_named_id_is_refused(owner: Owner) -> None:
    addition = owner.begin_addition()
    call = owner.addition_call(addition)
    planted = make_passkey()
    planted.credential_id = addition.passkey.credential_id
    attest = owner.begin_attest(planted)
    call.attest_ceremony = attest.ceremony
    call.attestation.CopyFrom(attestation_message(planted, attest.challenge))
    refuses_addition("NOT_VERIFIED", owner, addition, call)


def test_attestation_over_another_challenge_is_refused(owner: Owner) -> None:
    addition = owner.begin_addition()
    call = owner.addition_call(addition)
    call.attestation.CopyFrom(attestation_message(addition.passkey, addition.add.challenge))
    refuses_addition("NOT_VERIFIED", owner, addition, call)


def test_attestation_that_breaks_a_rule_is_refused(owner: Owner) -> None:
    addition = owner.begin_addition()
    call = owner.addition_call(addition)
    for forgery in (Forgery(clear_flags=USER_VERIFIED), Forgery(client_data={"origin": "https://evil.example"})):
        call.attestation.CopyFrom(attestation_message(addition.passkey, addition.attest.challenge, forgery))
        refuses_addition("NOT_VERIFIED", owner, addition, call)


def of_another_version(owner: Owner) -> tuple[Addition, str]:
    addition = owner.begin_addition()
    owner.release()
    later = owner.begin_addition(passkey=addition.passkey)
    return Addition(addition.attest, later.add, addition.passkey, later.envelope), "BEGIN_AGAIN"


def of_another_account(owner: Owner) -> tuple[Addition, str]:
    addition, bob = owner.begin_addition(), enrolled(owner.desk, "bob")
    return Addition(bob.begin_attest(addition.passkey), addition.add, addition.passkey, addition.envelope), (
        "CEREMONY_REJECTED"
    )


def of_another_operation(owner: Owner) -> tuple[Addition, str]:
    addition = owner.begin_addition()
    return Addition(owner.begin_release(), addition.add, addition.passkey, addition.envelope), "CEREMONY_REJECTED"


def of_the_addition_itself(owner: Owner) -> tuple[Addition, str]:
    addition = owner.begin_addition()
    return Addition(addition.add, addition.add, addition.passkey, addition.envelope), "CEREMONY_REJECTED"


def that_has_ended(owner: Owner) -> tuple[Addition, str]:
    addition = owner.begin_addition()
    owner.desk.clock.advance(seconds=300)
    later = owner.begin_addition(passkey=addition.passkey)
    return Addition(addition.attest, later.add, addition.passkey, later.envelope), "CEREMONY_EXPIRED"


@pytest.mark.parametrize(
    "spoil",
    [of_another_version, of_another_account, of_another_operation, of_the_addition_itself, that_has_ended],
    ids=lambda spoil: spoil.__name__,
)
def test_attest_ceremony_is_refused_unjudged(owner: Owner, spoil: Callable[[Owner], tuple[Addition, str]]) -> None:
    addition, reason = spoil(owner)
    refuses_addition(reason, owner, addition, owner.addition_call(addition))


def test_attest_ceremony_with_a_forged_tag_is_refused(owner: Owner) -> None:
    addition = owner.begin_addition()
    call = owner.addition_call(addition)
    call.attest_ceremony = call.attest_ceremony[:-1] + bytes([call.attest_ceremony[-1] ^ 1])
    refuses_addition("CEREMONY_REJECTED", owner, addition, call)


def test_attestation_lives_as_long_as_a_person_needs_to_make_a_passkey(owner: Owner) -> None:
    """The attest ceremony lives 300 seconds, the addition that comes after it 120."""
    made = make_passkey()
    attest = owner.begin_attest(made)
    owner.desk.clock.advance(seconds=299)
    later = owner.begin_addition(passkey=made)
    addition = Addition(attest, later.add, made, later.envelope)
    owner.complete_call(addition.add, owner.addition_call(addition))
    assert len(owner.shown().credentials) == 2


def test_addition_without_its_parts_names_the_missing_one(owner: Owner) -> None:
    addition = owner.begin_addition()
    for part in ("attestation", "attest_ceremony", "assertion", "transport_key_id"):
        call = owner.addition_call(addition)
        call.ClearField(part)
        refuses_addition("INVALID_FIELD", owner, addition, call)


def test_credential_that_is_in_already_and_a_seventeenth_are_refused(desk: Desk) -> None:
    owner = enrolled(desk)
    with refused_for("INVALID_FIELD"):
        owner.begin_addition(passkey=owner.passkey)
    for _ in range(15):
        owner.add()
    with refused_for("INVALID_FIELD"):
        owner.begin_addition()
    assert len(owner.shown().credentials) == 16


def test_passkey_of_another_account_may_come_in_here_too_and_opens_only_what_it_is_in(owner: Owner) -> None:
    bob = enrolled(owner.desk, "bob", envelope=b"bob's")
    addition = owner.begin_addition(passkey=bob.passkey)
    owner.complete_call(addition.add, owner.addition_call(addition))
    bob.passkey = owner.passkey
    refuses("NOT_VERIFIED", bob, ceremony := bob.begin_release(), bob.judge_call(ceremony))


def test_recovery_credential_adds_a_passkey(owner: Owner) -> None:
    """Who lost every passkey comes back by the 64-digit key."""
    addition = owner.begin_addition(envelope=b"recovered")
    call = owner.recovery_call(addition.add)
    call.sealed_envelope, call.transport_key_id = owner.seal(addition.add, addition.envelope)
    owner.complete_call(addition.add, owner.with_attestation(addition, call))
    owner.passkey = addition.passkey
    assert [each.envelope for each in owner.release()] == [b"recovered"]
    event = owner.desk.list_events("alice").events[1]
    assert event.assertion.HasField("recovery")
    assert event.attestation.credential_id == addition.passkey.credential_id


def test_attestation_cannot_be_completed_by_itself(owner: Owner) -> None:
    attest = owner.begin_attest(owner.passkey)
    call = owner.judge_call(attest)
    refuses("UNSUPPORTED_OPERATION", owner, attest, call)
    call.operation = frames_pb2.OPERATION_REGISTER
    refuses("CEREMONY_REJECTED", owner, attest, call)


# Removing


def test_removed_passkey_opens_nothing_and_the_old_envelopes_are_gone(owner: Owner) -> None:
    owner.release(opened=2)
    lost = owner.add()
    owner.complete(owner.begin_removal(lost, envelope=b"afresh"), envelope=b"afresh")
    assert [(each.envelope, each.confirmed) for each in owner.release()] == [(b"afresh", False)]
    thief = Owner(owner.desk, passkey=lost)
    with refused_for("NOT_VERIFIED"):
        thief.release()
    assert owner.shown().attempts_left == 10


def test_release_granted_to_a_passkey_that_was_removed_is_not_answered_again(owner: Owner) -> None:
    thief = Owner(owner.desk, passkey=owner.add())
    ceremony = thief.begin_release()
    thief.complete(ceremony)
    owner.complete(owner.begin_removal(thief.passkey), envelope=b"without")
    with refused_for("BEGIN_AGAIN"):
        thief.fulfil(ceremony)


def test_passkey_that_removes_itself_is_answered_again(owner: Owner) -> None:
    second = owner.add()
    owner.passkey, first = second, owner.passkey
    ceremony = owner.begin_removal(second)
    signed = owner.complete(ceremony, envelope=b"without")
    assert owner.complete(ceremony, envelope=b"without").reply == signed.reply
    assert [each.credential_id for each in owner.shown().credentials] == [first.credential_id]


def test_removal_with_another_envelope_than_the_one_named_is_refused_unjudged(owner: Owner) -> None:
    """A front could else bring back the old envelope, which the removed passkey opens."""
    lost = owner.add(envelope=b"for both")
    ceremony = owner.begin_removal(lost, envelope=b"afresh")
    refuses("NOT_VERIFIED", owner, ceremony, owner.judge_call(ceremony, envelope=b"for both"))
    assert len(owner.shown().credentials) == 2
    owner.complete(ceremony, envelope=b"afresh")


def test_last_passkey_may_go_as_long_as_the_recovery_credential_can_add_one(owner: Owner) -> None:
    owner.complete(owner.begin_removal(owner.passkey), envelope=b"without")
    assert list(owner.shown().credentials) == []
    addition = owner.begin_addition()
    call = owner.recovery_call(addition.add)
    call.sealed_envelope, call.transport_key_id = owner.seal(addition.add, addition.envelope)
    owner.complete_call(addition.add, owner.with_attestation(addition, call))
    assert len(owner.shown().credentials) == 1


def test_unknown_passkey_cannot_be_removed(owner: Owner) -> None:
    with refused_for("INVALID_FIELD"):
        owner.begin_removal(make_passkey())
