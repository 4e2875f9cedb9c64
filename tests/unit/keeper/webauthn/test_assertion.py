"""WebAuthn 7.2 line by line: a good ceremony, spoilt in one place, and the outcome that this place alone must have."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom_service.domain.credentials import (
    Credential,
    PolicyViolated,
    PolicyViolation,
    Verified,
    WrongSignature,
)
from tests.fakes.passkey import (
    BACKUP_ELIGIBLE,
    BACKUP_STATE,
    EDDSA,
    ES256,
    ORIGIN,
    POLICY,
    RS256,
    USER_PRESENT,
    USER_VERIFIED,
    Forgery,
    SoftwarePasskey,
)
from tests.unit.keeper.webauthn.assertions import CHALLENGE, HMAC_SECRET_OUTPUT, check, register, spoil


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_honest_assertion_is_verified_with_the_counter_to_keep(algorithm: int) -> None:
    passkey = SoftwarePasskey(algorithm=algorithm)
    credential = register(passkey)
    assert check(passkey.make_assertion(CHALLENGE), credential) == Verified(sign_count=2, backup_state=False)


def test_synced_passkey_is_verified_and_its_backup_state_followed() -> None:
    passkey = SoftwarePasskey(backup_eligible=True, counts=False)
    credential = register(passkey)
    assert (credential.backup_eligible, credential.backup_state) == (True, True)
    assert check(passkey.make_assertion(CHALLENGE), credential) == Verified(sign_count=0, backup_state=True)
    unsynced = passkey.make_assertion(CHALLENGE, Forgery(clear_flags=BACKUP_STATE))
    assert check(unsynced, credential) == Verified(sign_count=0, backup_state=False)


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(Forgery(client_data={"crossOrigin": None}), id="crossOrigin absent"),
        pytest.param(Forgery(client_data={"other_keys_can_be_added_here": "no template"}), id="unknown member"),
        pytest.param(Forgery(client_data={"tokenBinding": {"status": "supported"}}), id="legacy member"),
        pytest.param(Forgery(extensions=HMAC_SECRET_OUTPUT), id="encrypted PRF output of a security key"),
        pytest.param(Forgery(set_flags=0x22), id="reserved flags"),
        pytest.param(Forgery(sign_count=2**32 - 1), id="counter jumps"),
    ],
)
def test_what_the_standard_tolerates_is_verified(forgery: Forgery) -> None:
    assert isinstance(spoil(forgery), Verified)


@pytest.mark.parametrize(
    ("forgery", "detail"),
    [
        pytest.param(Forgery(client_data={"type": "webauthn.create"}), "type or challenge", id="step 10 type"),
        pytest.param(Forgery(client_data={"type": "payment.get"}), "type or challenge", id="step 10 payment"),
        pytest.param(Forgery(client_data={"challenge": "AAAA"}), "type or challenge", id="step 11 challenge"),
        pytest.param(Forgery(client_data={"challenge": ""}), "type or challenge", id="step 11 empty challenge"),
        pytest.param(Forgery(rp_id="other.example"), "relying party", id="step 15 rpIdHash"),
        pytest.param(Forgery(unsigned=True), "signature", id="step 21 signature over something else"),
    ],
)
def test_a_signature_for_anything_else_is_a_wrong_signature(forgery: Forgery, detail: str) -> None:
    assert spoil(forgery) == WrongSignature(detail=detail)


@pytest.mark.parametrize("change", ["{}=", "{} ", "\n{}", "A{}"])
def test_challenge_is_compared_as_text_not_as_what_a_lenient_decoder_makes_of_it(change: str) -> None:
    text = base64.urlsafe_b64encode(CHALLENGE).rstrip(b"=").decode()
    assert spoil(Forgery(client_data={"challenge": change.format(text)})) == WrongSignature(detail="type or challenge")


def test_last_sextet_bits_that_decoders_ignore_do_not_pass() -> None:
    text = base64.urlsafe_b64encode(CHALLENGE).rstrip(b"=").decode()
    twin = text[:-1] + chr(ord(text[-1]) + 1)
    assert base64.urlsafe_b64decode(twin + "=") == CHALLENGE
    assert spoil(Forgery(client_data={"challenge": twin})) == WrongSignature(detail="type or challenge")


@pytest.mark.parametrize("length", [1, 63, 65, 1024])
def test_garbage_of_any_length_is_a_wrong_signature(length: int) -> None:
    for algorithm in (ES256, EDDSA):
        passkey = SoftwarePasskey(algorithm=algorithm)
        credential = register(passkey)
        assertion = replace(passkey.make_assertion(CHALLENGE), signature=bytes(length))
        assert check(assertion, credential) == WrongSignature(detail="signature")


def test_another_passkeys_signature_under_this_id_is_a_wrong_signature() -> None:
    mine, theirs = SoftwarePasskey(), SoftwarePasskey()
    credential = register(mine)
    theirs.credential_id = mine.credential_id
    assert check(theirs.make_assertion(CHALLENGE), credential) == WrongSignature(detail="signature")


@pytest.mark.parametrize(
    ("forgery", "violation"),
    [
        pytest.param(Forgery(client_data={"origin": "https://evil.example"}), PolicyViolation.ORIGIN, id="step 12"),
        pytest.param(Forgery(client_data={"origin": f"{ORIGIN}:8443"}), PolicyViolation.ORIGIN, id="step 12 port"),
        pytest.param(Forgery(client_data={"origin": f"{ORIGIN}/"}), PolicyViolation.ORIGIN, id="step 12 path"),
        pytest.param(
            Forgery(client_data={"origin": "https://a.vault.example"}), PolicyViolation.ORIGIN, id="step 12 subdomain"
        ),
        pytest.param(
            Forgery(client_data={"origin": "http://vault.example"}), PolicyViolation.ORIGIN, id="step 12 scheme"
        ),
        pytest.param(Forgery(client_data={"origin": ORIGIN.upper()}), PolicyViolation.ORIGIN, id="step 12 case"),
        pytest.param(Forgery(client_data={"crossOrigin": True}), PolicyViolation.CROSS_ORIGIN, id="step 13"),
        pytest.param(Forgery(client_data={"topOrigin": ORIGIN}), PolicyViolation.CROSS_ORIGIN, id="step 14"),
        pytest.param(Forgery(clear_flags=USER_PRESENT), PolicyViolation.USER_PRESENT_MISSING, id="step 16 UP"),
        pytest.param(Forgery(clear_flags=USER_VERIFIED), PolicyViolation.USER_VERIFICATION_MISSING, id="step 17 UV"),
        pytest.param(Forgery(set_flags=BACKUP_STATE), PolicyViolation.BACKUP_FLAGS, id="step 18 BS without BE"),
        pytest.param(
            Forgery(set_flags=BACKUP_ELIGIBLE), PolicyViolation.BACKUP_ELIGIBILITY_CHANGED, id="step 19 BE rises"
        ),
        pytest.param(Forgery(sign_count=1), PolicyViolation.COUNTER_REGRESSION, id="step 22 same counter"),
        pytest.param(Forgery(sign_count=0), PolicyViolation.COUNTER_REGRESSION, id="step 22 counter back to zero"),
    ],
)
def test_a_right_signature_against_the_policy_is_refused_by_reason(
    forgery: Forgery, violation: PolicyViolation
) -> None:
    assert spoil(forgery) == PolicyViolated(violation=violation)


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        pytest.param(lambda c: replace(c, backup_eligible=True), PolicyViolation.BACKUP_ELIGIBILITY_CHANGED, id="BE"),
        pytest.param(lambda c: replace(c, quarantined=True), PolicyViolation.QUARANTINED, id="quarantined"),
        pytest.param(lambda c: replace(c, user_handle=bytes(32)), PolicyViolation.USER_HANDLE, id="step 6 user handle"),
        pytest.param(lambda c: replace(c, sign_count=2), PolicyViolation.COUNTER_REGRESSION, id="counter used before"),
    ],
)
def test_what_is_stored_of_the_credential_is_compared(
    change: Callable[[Credential], Credential], violation: PolicyViolation
) -> None:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    assertion = passkey.make_assertion(CHALLENGE)
    assert isinstance(check(assertion, credential), Verified)
    assert check(assertion, change(credential)) == PolicyViolated(violation=violation)


def test_algorithm_withdrawn_from_the_policy_is_refused() -> None:
    passkey = SoftwarePasskey(algorithm=EDDSA)
    credential = register(passkey)
    outcome = check(passkey.make_assertion(CHALLENGE), credential, replace(POLICY, algorithms=(ES256, RS256)))
    assert outcome == PolicyViolated(violation=PolicyViolation.ALGORITHM)


def test_absent_user_handle_is_accepted_because_the_credential_was_named() -> None:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    assert isinstance(check(replace(passkey.make_assertion(CHALLENGE), user_handle=None), credential), Verified)


def test_counter_regression_is_told_only_when_nothing_else_is_wrong() -> None:
    outcome = spoil(Forgery(sign_count=0, client_data={"origin": "https://evil.example"}))
    assert outcome == PolicyViolated(violation=PolicyViolation.ORIGIN)
    assert spoil(Forgery(sign_count=0, unsigned=True)) == WrongSignature(detail="signature")


def test_policy_is_never_the_answer_to_a_wrong_signature() -> None:
    everything_wrong = Forgery(
        unsigned=True,
        client_data={"origin": "https://evil.example", "crossOrigin": True},
        clear_flags=USER_PRESENT | USER_VERIFIED,
        sign_count=0,
    )
    assert isinstance(spoil(everything_wrong), WrongSignature)
    assert isinstance(spoil(replace(everything_wrong, unsigned=False)), PolicyViolated)
