"""What passkeys signed, checked by whoever holds the evidence: one thing forged at a time."""

from __future__ import annotations

import pytest
from fido2 import cbor

from strongroom.v1 import resources_pb2
from strongroom_client.verification.webauthn import (
    NotSigned,
    attested_credential,
    check_assertion,
    check_assertion_policy,
    check_attestation,
)
from tests.fakes.passkey import (
    EDDSA,
    ES256,
    HONEST,
    ORIGIN,
    RP_ID,
    RS256,
    USER_PRESENT,
    USER_VERIFIED,
    Forgery,
    SoftwarePasskey,
)

CHALLENGE = b"c" * 32


def asserted(passkey: SoftwarePasskey, forgery: Forgery = HONEST) -> resources_pb2.WebAuthnAssertion:
    made = passkey.make_assertion(CHALLENGE, forgery)
    return resources_pb2.WebAuthnAssertion(
        credential_id=made.credential_id,
        authenticator_data=made.authenticator_data,
        client_data_json=made.client_data_json,
        signature=made.signature,
    )


def attested(passkey: SoftwarePasskey, forgery: Forgery = HONEST) -> resources_pb2.Attestation:
    made = passkey.make_attestation(CHALLENGE, forgery)
    return resources_pb2.Attestation(
        credential_id=made.credential_id,
        client_data_json=made.client_data_json,
        attestation_object=made.attestation_object,
    )


def check(passkey: SoftwarePasskey, forgery: Forgery = HONEST, *, cose_key: bytes | None = None) -> None:
    made = asserted(passkey, forgery)
    check_assertion(made, cose_key=cose_key or passkey.cose_key, challenge=CHALLENGE, rp_id=RP_ID)
    check_assertion_policy(made, origins=[ORIGIN])


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_honest_passkey_holds(algorithm: int) -> None:
    passkey = SoftwarePasskey(algorithm=algorithm)
    check(passkey)
    brought = check_attestation(attested(passkey), challenge=CHALLENGE, rp_id=RP_ID, origins=[ORIGIN])
    assert (brought.credential_id, brought.cose_key) == (passkey.credential_id, passkey.cose_key)


FORGERIES = [
    (Forgery(client_data={"type": "payment.get"}), "another ceremony"),
    (Forgery(client_data={"challenge": "AAAA"}), "another ceremony"),
    (Forgery(client_data={"challenge": None}), "another ceremony"),
    (Forgery(client_data={"origin": "https://evil.example"}), "another origin"),
    (Forgery(client_data={"origin": ["https://vault.example"]}), "another origin"),
    (Forgery(client_data={"crossOrigin": True}), "another origin"),
    (Forgery(client_data={"crossOrigin": "false"}), "another origin"),
    (Forgery(client_data={"topOrigin": "https://evil.example"}), "in a frame"),
    (Forgery(client_data_json=b"[]"), "no object"),
    (Forgery(client_data_json=b"\xff"), "does not parse"),
    (Forgery(client_data_json=b'{"type":"a","type":"b"}'), "does not parse"),
    (Forgery(client_data_json=b"[" * 100_000), "does not parse"),
    (Forgery(rp_id="evil.example"), "another relying party"),
    (Forgery(clear_flags=USER_PRESENT), "not verified"),
    (Forgery(clear_flags=USER_VERIFIED), "not verified"),
]


@pytest.mark.parametrize(("forgery", "said"), FORGERIES)
def test_forged_assertion_does_not_hold(forgery: Forgery, said: str) -> None:
    with pytest.raises(NotSigned, match=said):
        check(SoftwarePasskey(), forgery)


@pytest.mark.parametrize(("forgery", "said"), FORGERIES)
def test_forged_attestation_does_not_hold(forgery: Forgery, said: str) -> None:
    made = attested(SoftwarePasskey(), forgery)
    with pytest.raises(NotSigned, match=said):
        check_attestation(made, challenge=CHALLENGE, rp_id=RP_ID, origins=[ORIGIN])


def test_signature_over_something_else_does_not_hold() -> None:
    with pytest.raises(NotSigned, match="not the passkey's"):
        check(SoftwarePasskey(), Forgery(unsigned=True))


def test_signature_by_another_passkey_does_not_hold() -> None:
    with pytest.raises(NotSigned, match="not the passkey's"):
        check(SoftwarePasskey(), cose_key=SoftwarePasskey().cose_key)


@pytest.mark.parametrize(
    ("cose_key", "said"),
    [
        (b"\xff", "not the passkey's"),
        (cbor.encode({}), "not the passkey's"),
        (cbor.encode({1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}), "not the passkey's"),
        (cbor.encode({1: 2, 3: -65535, -1: 1, -2: b"x" * 32, -3: b"y" * 32}), "algorithm"),
    ],
)
def test_key_that_is_none_verifies_nothing(cose_key: bytes, said: str) -> None:
    with pytest.raises(NotSigned, match=said):
        check(SoftwarePasskey(), cose_key=cose_key)


def test_attestation_under_another_id_does_not_hold() -> None:
    made = attested(SoftwarePasskey())
    made.credential_id = b"another credential id"
    with pytest.raises(NotSigned, match="another credential"):
        attested_credential(made)
    with pytest.raises(NotSigned, match="does not parse"):
        attested_credential(resources_pb2.Attestation(attestation_object=b"\xa1\x00"))


def test_authenticator_data_that_is_cut_short_does_not_hold() -> None:
    made = asserted(SoftwarePasskey())
    made.authenticator_data = made.authenticator_data[:20]
    with pytest.raises(NotSigned, match="does not parse"):
        check_assertion(made, cose_key=b"", challenge=CHALLENGE, rp_id=RP_ID)
