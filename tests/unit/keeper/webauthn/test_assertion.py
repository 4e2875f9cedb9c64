"""WebAuthn 7.2 line by line: a good ceremony, spoilt in one place, and the outcome that this place alone must have."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    PolicyViolated,
    PolicyViolation,
    Verified,
    WebAuthnAssertion,
    WrongSignature,
)
from strongroom_service.domain.errors import Reason, RecordRejected, Refusal
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from tests.fakes.passkey import (
    BACKUP_ELIGIBLE,
    BACKUP_STATE,
    EDDSA,
    ES256,
    EXTENSIONS,
    HONEST,
    ORIGIN,
    POLICY,
    RS256,
    USER_PRESENT,
    USER_VERIFIED,
    Forgery,
    SoftwarePasskey,
)

CHALLENGE = bytes(range(32))
OTHER_CHALLENGE = bytes(32)
NOW = Millis(1_700_000_000_000)
HMAC_SECRET_OUTPUT = bytes.fromhex("a16b686d61632d736563726574") + b"\x58\x30" + bytes(48)


def register(passkey: SoftwarePasskey) -> Credential:
    return check_attestation(
        attestation=passkey.make_attestation(OTHER_CHALLENGE),
        challenge=OTHER_CHALLENGE,
        policy=POLICY,
        user_handle=passkey.user_handle,
        now=NOW,
    )


def check(
    assertion: WebAuthnAssertion, credential: Credential, policy: AssertionPolicy = POLICY
) -> Verified | WrongSignature | PolicyViolated:
    return check_assertion(assertion=assertion, credential=credential, challenge=CHALLENGE, policy=policy)


def spoil(forgery: Forgery) -> Verified | WrongSignature | PolicyViolated:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    return check(passkey.make_assertion(CHALLENGE, forgery), credential)


def client_data(**members: object) -> bytes:
    challenge = base64.urlsafe_b64encode(CHALLENGE).rstrip(b"=").decode()
    return json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": ORIGIN, **members}).encode()


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


MALFORMED_CLIENT_DATA = {
    "not UTF-8": client_data(extra="x").replace(b"extra", b"e\xfftra"),
    "byte order mark": b"\xef\xbb\xbf" + client_data(),
    "UTF-16": client_data().decode().encode("utf-16"),
    "not JSON": b"type=webauthn.get",
    "two documents": client_data() + b"{}",
    "not an object": b'["webauthn.get"]',
    "NaN": client_data(extra=float("nan")),
    "nested too deep": client_data()[:-1] + b', "a": ' + b"[" * 1500 + b"]" * 1500 + b"}",
    "too long": client_data(extra="x" * 4096),
    "empty": b"",
    "origin twice": client_data()[:-1] + b', "origin": "https://evil.example"}',
    "same origin twice": client_data()[:-1] + b', "origin": "' + ORIGIN.encode() + b'"}',
    "escaped key twice": client_data()[:-1] + b', "\\u006frigin": "https://evil.example"}',
    "nested key twice": client_data()[:-1] + b', "a": {"b": 1, "b": 2}}',
    "crossOrigin is text": client_data(crossOrigin="false"),
    "crossOrigin is a number": client_data(crossOrigin=0),
    "crossOrigin is null": client_data(crossOrigin=None),
    "topOrigin is null": client_data(topOrigin=None),
    "type is a list": client_data(type=["webauthn.get"]),
    "origin is an object": client_data(origin={ORIGIN: 1}),
    "challenge is a number": client_data(challenge=1),
    "challenge missing": b'{"type":"webauthn.get","origin":"https://vault.example"}',
}


@pytest.mark.parametrize("encoded", MALFORMED_CLIENT_DATA.values(), ids=MALFORMED_CLIENT_DATA.keys())
def test_malformed_client_data_is_refused_unjudged_although_signed(encoded: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        spoil(Forgery(client_data_json=encoded))
    assert refused.value.reason is Reason.NOT_VERIFIED
    assert refused.value.detail.startswith("client data")


def test_the_client_data_that_these_tests_spoil_is_good() -> None:
    assert isinstance(spoil(Forgery(client_data_json=client_data())), Verified)


ATTESTED_CREDENTIAL = bytes(16) + b"\x00\x20" + bytes(32) + SoftwarePasskey().cose_key
CLEAR_PRF = bytes.fromhex("a163707266a167726573756c7473a16566697273745820") + bytes(32)


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(Forgery(trailing=b"\x00"), id="a byte no flag announces"),
        pytest.param(Forgery(set_flags=EXTENSIONS), id="ED without extensions"),
        pytest.param(Forgery(set_flags=0x40), id="AT without a credential"),
        pytest.param(Forgery(set_flags=0x40, trailing=ATTESTED_CREDENTIAL), id="an attested credential"),
        pytest.param(Forgery(extensions=HMAC_SECRET_OUTPUT + b"\xa0"), id="bytes after the extensions"),
        pytest.param(Forgery(extensions=HMAC_SECRET_OUTPUT[:-1]), id="extension cut short"),
        pytest.param(Forgery(extensions=b"\x80"), id="extensions are a list"),
        pytest.param(Forgery(extensions=b"\xa1\x01\xf5"), id="extension name is a number"),
        pytest.param(Forgery(extensions=b"\xa2\x61a\xf5\x61a\xf5"), id="extension twice"),
        pytest.param(Forgery(extensions=b"\xa2\x61b\xf5\x61a\xf5"), id="extensions unsorted"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\x18\x01"), id="long integer form"),
        pytest.param(Forgery(extensions=b"\xbf\x61a\xf5\xff"), id="indefinite length"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\xf6"), id="null"),
        pytest.param(Forgery(extensions=b"\xa1\x61a" + b"\x81" * 3000), id="nested too deep"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\x59\x10\x00" + bytes(4096)), id="too long"),
        pytest.param(Forgery(extensions=b"\xbb" + b"\xff" * 8), id="a map of 2^64 - 1 entries"),
        pytest.param(Forgery(extensions=CLEAR_PRF), id="a PRF secret in clear"),
    ],
)
def test_malformed_authenticator_data_is_refused_unjudged_although_signed(forgery: Forgery) -> None:
    with pytest.raises(Refusal) as refused:
        spoil(forgery)
    assert refused.value.reason is Reason.NOT_VERIFIED
    assert refused.value.detail


@pytest.mark.parametrize("length", range(37))
def test_authenticator_data_cut_short_is_refused(length: int) -> None:
    passkey = SoftwarePasskey()
    credential, assertion = register(passkey), passkey.make_assertion(CHALLENGE)
    cut = replace(assertion, authenticator_data=assertion.authenticator_data[:length])
    with pytest.raises(Refusal):
        check(cut, credential)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"credential_id": bytes(32)}, id="another credential"),
        pytest.param({"signature": b""}, id="no signature"),
        pytest.param({"signature": bytes(1025)}, id="signature too long"),
        pytest.param({"user_handle": b""}, id="empty user handle"),
        pytest.param({"user_handle": bytes(65)}, id="user handle too long"),
    ],
)
def test_parts_outside_their_bounds_are_refused_unjudged(change: dict[str, bytes]) -> None:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    with pytest.raises(Refusal):
        check(replace(passkey.make_assertion(CHALLENGE), **change), credential)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: replace(c, cose_key=b"\xa0"), id="no key"),
        pytest.param(lambda c: replace(c, algorithm=EDDSA), id="another algorithm beside the key"),
    ],
)
def test_stored_key_that_registration_would_not_take_is_a_fault(change: Callable[[Credential], Credential]) -> None:
    passkey = SoftwarePasskey()
    credential = change(register(passkey))
    with pytest.raises(RecordRejected, match="stored credential"):
        check(passkey.make_assertion(CHALLENGE, HONEST), credential)


def test_refusal_text_repeats_nothing_of_the_input() -> None:
    marker = "marker-that-must-not-appear"
    for forgery in (
        Forgery(client_data_json=marker.encode()),
        Forgery(client_data={"type": [marker]}),
        Forgery(extensions=b"\x78\x1b" + marker.encode()),
    ):
        with pytest.raises(Refusal) as refused:
            spoil(forgery)
        assert marker not in f"{refused.value} {refused.value.detail} {refused.value.__cause__}"
