"""WebAuthn 7.1 line by line: a good creation, spoilt in one place, is refused for exactly that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fido2 import cbor

from strongroom_service.domain.credentials import Credential, WebAuthnAttestation
from tests.fakes.passkey import (
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
from tests.unit.keeper.webauthn.creations import CHALLENGE, NOW, SELF, check, forge, rebuild, refusal_of


@pytest.mark.parametrize("attestation_format", ["none", "packed"])
@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_good_creation_gives_the_credential_to_keep(algorithm: int, attestation_format: str) -> None:
    passkey = SoftwarePasskey(algorithm=algorithm)
    attestation = passkey.make_attestation(CHALLENGE, Forgery(attestation_format=attestation_format))
    assert check(attestation) == Credential(
        credential_id=passkey.credential_id,
        cose_key=passkey.cose_key,
        algorithm=algorithm,
        user_handle=b"user handle",
        sign_count=1,
        backup_eligible=False,
        backup_state=False,
        aaguid=bytes(16),
        transports=("internal",),
        created_at=NOW,
        last_used_at=None,
        quarantined=False,
    )


def test_key_is_cut_rightly_when_extensions_follow_it() -> None:
    passkey = SoftwarePasskey()
    attestation = passkey.make_attestation(CHALLENGE, Forgery(extensions=cbor.encode({"hmac-secret": True})))
    assert check(attestation).cose_key == passkey.cose_key


def test_unsolicited_extension_is_tolerated() -> None:
    extensions = cbor.encode({"credProtect": 2, "unheard of": [True, b"x"]})
    assert check(forge(Forgery(extensions=extensions))).sign_count == 1


@pytest.mark.parametrize(
    ("forgery", "detail"),
    [
        pytest.param(Forgery(client_data={"type": "webauthn.get"}), "type or challenge", id="step 7 type"),
        pytest.param(Forgery(client_data={"challenge": "AAAA"}), "type or challenge", id="step 8 challenge"),
        pytest.param(Forgery(client_data={"origin": "https://evil.example"}), "origin", id="step 9 origin"),
        pytest.param(Forgery(client_data={"origin": f"{ORIGIN}:444"}), "origin", id="step 9 port"),
        pytest.param(Forgery(client_data={"crossOrigin": True}), "cross origin", id="step 10 crossOrigin"),
        pytest.param(Forgery(client_data={"topOrigin": ORIGIN}), "cross origin", id="step 11 topOrigin"),
        pytest.param(Forgery(client_data_json=b"\xff\xfe{}"), "client data: UnicodeDecodeError", id="step 5 UTF-8"),
        pytest.param(Forgery(client_data_json=b"{]"), "client data: JSONDecodeError", id="step 6 JSON"),
        pytest.param(Forgery(rp_id="other.example"), "relying party", id="step 14 rpIdHash"),
        pytest.param(Forgery(clear_flags=USER_PRESENT), "user_present_missing", id="step 15 UP"),
        pytest.param(Forgery(clear_flags=USER_VERIFIED), "user_verification_missing", id="step 16 UV"),
        pytest.param(Forgery(set_flags=BACKUP_STATE), "backup_flags", id="step 17 BS without BE"),
        pytest.param(Forgery(clear_flags=0x40), "no flag announces", id="AT missing"),
        pytest.param(Forgery(cose_key=cbor.encode({1: 2, 3: -35})), "algorithm", id="step 20 ES384"),
        pytest.param(Forgery(attestation_format="fido-u2f"), "format", id="step 21 fido-u2f"),
        pytest.param(Forgery(attestation_format="android-safetynet"), "format", id="step 21 SafetyNet"),
        pytest.param(Forgery(attestation_format=""), "format", id="step 21 nameless"),
        pytest.param(Forgery(statement={"alg": ES256}), "statement: InvalidData", id="step 22 none, but a statement"),
        pytest.param(
            Forgery(attestation_format="packed", statement={"sig": bytes(70)}),
            "statement: InvalidSignature",
            id="step 22 packed, wrong signature",
        ),
        pytest.param(
            Forgery(attestation_format="packed", statement={"alg": EDDSA}),
            "statement: InvalidData",
            id="step 22 packed, another algorithm",
        ),
        pytest.param(
            Forgery(attestation_format="packed", statement={"ecdaaKeyId": b"x"}),
            "statement: NotImplementedError",
            id="step 22 packed, ECDAA",
        ),
        pytest.param(
            Forgery(attestation_format="packed", statement={"x5c": [b"not a certificate"]}),
            "statement: InvalidData",
            id="step 22 packed, bad certificate",
        ),
        pytest.param(Forgery(attestation_format="tpm"), "attestation statement", id="step 22 tpm, empty"),
        pytest.param(Forgery(attestation_format="apple"), "attestation statement", id="step 22 apple, empty"),
        pytest.param(Forgery(trailing=b"\x00"), "no flag announces", id="bytes after authenticator data"),
    ],
)
def test_spoilt_creation_is_refused_for_its_reason(forgery: Forgery, detail: str) -> None:
    assert detail in refusal_of(forge(forgery))


def test_statement_of_an_assertion_is_not_an_attestation() -> None:
    passkey = SoftwarePasskey()
    assertion = passkey.make_assertion(CHALLENGE, Forgery(client_data={"type": "webauthn.create"}))
    document = {"fmt": "none", "attStmt": {}, "authData": assertion.authenticator_data}
    attestation = WebAuthnAttestation(
        credential_id=passkey.credential_id,
        client_data_json=assertion.client_data_json,
        attestation_object=cbor.encode(document),
        transports=(),
    )
    assert refusal_of(attestation) == "attestation: no attested credential"


def test_algorithm_that_was_not_offered_is_refused() -> None:
    policy = replace(POLICY, algorithms=(EDDSA,))
    assert refusal_of(forge(Forgery()), policy) == "attestation: algorithm was not offered"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        pytest.param({"credential_id": bytes(32)}, "outside and inside differ", id="outer id is another"),
        pytest.param({"credential_id": b""}, "credential id", id="no outer id"),
        pytest.param({"transports": ("usb",) * 9}, "transports", id="many transports"),
        pytest.param({"transports": ("x" * 33,)}, "transports", id="long transport"),
        pytest.param({"transports": ("",)}, "transports", id="empty transport"),
        pytest.param({"attestation_object": b""}, "attestation object", id="empty object"),
        pytest.param({"attestation_object": bytes(16 * 1024 + 1)}, "attestation object", id="object too long"),
        pytest.param({"attestation_object": b"\x81" * 16_000}, "RecursionError", id="nested too deep"),
        pytest.param({"attestation_object": b"\x9b" + b"\xff" * 8}, "IndexError", id="a list of 2^64 - 1 items"),
    ],
)
def test_parts_outside_their_bounds_are_refused(change: dict[str, object], detail: str) -> None:
    attestation = forge(Forgery())
    spoilt = WebAuthnAttestation(
        **{
            "credential_id": attestation.credential_id,
            "client_data_json": attestation.client_data_json,
            "attestation_object": attestation.attestation_object,
            "transports": attestation.transports,
            **change,
        }  # type: ignore[arg-type]  # one member at a time is replaced by one of its own type
    )
    assert detail in refusal_of(spoilt)


@pytest.mark.parametrize("length", [0, 15, 1024, 65535])
def test_credential_id_of_a_length_that_no_authenticator_makes_is_refused(length: int) -> None:
    passkey = SoftwarePasskey()
    passkey.credential_id = bytes(length)
    assert "credential id" in refusal_of(passkey.make_attestation(CHALLENGE))


@pytest.mark.parametrize("length", [16, 1023])
def test_credential_id_of_the_extreme_lengths_is_taken(length: int) -> None:
    passkey = SoftwarePasskey()
    passkey.credential_id = bytes(length)
    assert check(passkey.make_attestation(CHALLENGE)).credential_id == bytes(length)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"fmt": None}, id="no format"),
        pytest.param({"attStmt": None}, id="no statement"),
        pytest.param({"authData": None}, id="no authenticator data"),
        pytest.param({"authData": "text"}, id="authenticator data is text"),
        pytest.param({"extra": 1}, id="a fourth member"),
        pytest.param({"fmt": ["none"]}, id="format is a list"),
        pytest.param({"attStmt": []}, id="statement is a list"),
    ],
)
def test_attestation_object_of_another_shape_is_refused(members: dict[str, object]) -> None:
    assert refusal_of(rebuild(forge(SELF), **members))


def test_only_the_canonical_encoding_of_an_attestation_object_is_taken() -> None:
    attestation = forge(Forgery())
    good = attestation.attestation_object
    assert check(rebuild(attestation)) == check(attestation)
    authenticator_data = good[good.index(b"authData") :]
    for encoded in (
        good + b"\x00",
        b"\xa3\x67attStmt\xa0\x63fmt\x64none\x68" + authenticator_data,
        b"\xa4\x63fmt\x64none\x63fmt\x64none\x67attStmt\xa0\x68" + authenticator_data,
        b"\xbf" + good[1:] + b"\xff",
        b"\xb8\x03" + good[1:],
        b"\xc1" + good,
    ):
        assert "attestation object" in refusal_of(replace(attestation, attestation_object=encoded))
