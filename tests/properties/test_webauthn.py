"""Hostile bytes: no change of a good response is ever accepted, and nothing but a refusal ever comes out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    Credential,
    PolicyViolated,
    Verified,
    WebAuthnAssertion,
    WebAuthnAttestation,
    WrongSignature,
)
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from tests.fakes.passkey import EDDSA, ES256, POLICY, RS256, Forgery, SoftwarePasskey

CHALLENGE = bytes(range(32))
EXTENSIONS = bytes.fromhex("a16b686d61632d7365637265745830") + bytes(48)
PARTS = ("credential_id", "authenticator_data", "client_data_json", "signature", "user_handle")


def mutations(octets: bytes) -> st.SearchStrategy[bytes]:
    """Change, insert, drop or cut somewhere in `octets`."""
    places = st.integers(0, len(octets) - 1)
    return st.one_of(
        st.builds(lambda at, new: octets[:at] + bytes([new]) + octets[at + 1 :], places, st.integers(0, 255)),
        st.builds(lambda at, new: octets[:at] + new + octets[at:], places, st.binary(min_size=1, max_size=9)),
        st.builds(lambda at, length: octets[:at] + octets[at + length :], places, st.integers(1, 9)),
        st.builds(lambda at: octets[:at], places),
        st.binary(max_size=64),
    )


@st.composite
def spoilt_parts(draw: st.DrawFn, good: dict[str, bytes]) -> dict[str, bytes]:
    part = draw(st.sampled_from(sorted(good)))
    return {part: draw(mutations(good[part]))}


def register(passkey: SoftwarePasskey) -> Credential:
    return check_attestation(
        attestation=passkey.make_attestation(CHALLENGE, Forgery(attestation_format="packed")),
        challenge=CHALLENGE,
        policy=POLICY,
        user_handle=passkey.user_handle,
        now=Millis(0),
    )


PASSKEYS = {algorithm: SoftwarePasskey(algorithm=algorithm) for algorithm in (ES256, EDDSA, RS256)}
CREDENTIALS = {algorithm: register(passkey) for algorithm, passkey in PASSKEYS.items()}
ASSERTIONS = {
    algorithm: passkey.make_assertion(CHALLENGE, Forgery(extensions=EXTENSIONS))
    for algorithm, passkey in PASSKEYS.items()
}
SELF_ATTESTED = {
    algorithm: passkey.make_attestation(CHALLENGE, Forgery(attestation_format="packed", extensions=EXTENSIONS))
    for algorithm, passkey in PASSKEYS.items()
}
UNATTESTED = PASSKEYS[ES256].make_attestation(CHALLENGE, Forgery(extensions=EXTENSIONS))


def judge(algorithm: int, assertion: WebAuthnAssertion) -> Verified | WrongSignature | PolicyViolated | Refusal:
    """Return the outcome or the refusal; any other exception escapes and fails the test."""
    try:
        return check_assertion(
            assertion=assertion, credential=CREDENTIALS[algorithm], challenge=CHALLENGE, policy=POLICY
        )
    except Refusal as refusal:
        return refusal


def register_or_refuse(attestation: WebAuthnAttestation) -> Credential | Refusal:
    try:
        return check_attestation(
            attestation=attestation, challenge=CHALLENGE, policy=POLICY, user_handle=b"handle", now=Millis(0)
        )
    except Refusal as refusal:
        return refusal


def is_told_apart(outcome: object) -> bool:
    """Whether a refusal says NOT_VERIFIED outward and something inward; any other outcome is fine here."""
    return not isinstance(outcome, Refusal) or (outcome.reason is Reason.NOT_VERIFIED and bool(outcome.detail))


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@settings(max_examples=400)
@given(data=st.data())
def test_no_change_of_a_good_assertion_is_verified(algorithm: int, data: st.DataObject) -> None:
    good = ASSERTIONS[algorithm]
    assert good.user_handle is not None
    changes = data.draw(
        spoilt_parts(
            {
                "credential_id": good.credential_id,
                "authenticator_data": good.authenticator_data,
                "client_data_json": good.client_data_json,
                "signature": good.signature,
                "user_handle": good.user_handle,
            }
        )
    )
    spoilt = replace(good, **changes)
    outcome = judge(algorithm, spoilt)
    event(type(outcome).__name__)
    assert isinstance(outcome, Verified) == (spoilt == good)
    assert is_told_apart(outcome)


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@settings(max_examples=400)
@given(data=st.data())
def test_no_change_of_a_self_attested_creation_is_registered(algorithm: int, data: st.DataObject) -> None:
    good = SELF_ATTESTED[algorithm]
    changes = data.draw(
        spoilt_parts(
            {
                "credential_id": good.credential_id,
                "client_data_json": good.client_data_json,
                "attestation_object": good.attestation_object,
            }
        )
    )
    spoilt = WebAuthnAttestation(
        credential_id=changes.get("credential_id", good.credential_id),
        client_data_json=changes.get("client_data_json", good.client_data_json),
        attestation_object=changes.get("attestation_object", good.attestation_object),
        transports=good.transports,
    )
    outcome = register_or_refuse(spoilt)
    assert isinstance(outcome, Credential) == (spoilt == good)
    assert is_told_apart(outcome)


@settings(max_examples=400)
@given(data=st.data())
def test_creation_without_attestation_raises_nothing_but_refusals(data: st.DataObject) -> None:
    spoilt = data.draw(mutations(UNATTESTED.attestation_object))
    outcome = register_or_refuse(replace(UNATTESTED, attestation_object=spoilt))
    event(type(outcome).__name__)
    assert is_told_apart(outcome)


@settings(max_examples=400)
@given(client_data=st.binary(max_size=80), attested=st.binary(max_size=200))
def test_noise_is_refused(client_data: bytes, attested: bytes) -> None:
    for noise in (
        replace(UNATTESTED, client_data_json=client_data),
        replace(UNATTESTED, attestation_object=attested),
    ):
        outcome = register_or_refuse(noise)
        assert isinstance(outcome, Refusal)
        assert is_told_apart(outcome)


def test_every_single_bit_of_an_assertion_counts() -> None:
    """Every bit, not a sample: the whole point of a signature."""
    good = ASSERTIONS[EDDSA]
    assert isinstance(judge(EDDSA, good), Verified)
    for part in PARTS:
        octets: bytes = getattr(good, part)
        for bit in range(8 * len(octets)):
            changed = bytearray(octets)
            changed[bit // 8] ^= 1 << bit % 8
            outcome = judge(EDDSA, replace(good, **{part: bytes(changed)}))
            assert not isinstance(outcome, Verified)
            assert is_told_apart(outcome)
