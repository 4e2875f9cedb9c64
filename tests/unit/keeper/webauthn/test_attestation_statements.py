"""What an attestation statement protects, and what its certificate must be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fido2 import cbor

from tests.fakes.passkey import (
    ES256,
    Forgery,
    SoftwarePasskey,
    cose_members,
)
from tests.unit.keeper.webauthn.creations import CHALLENGE, SELF, check, forge, rebuild, refusal_of


def test_self_attestation_protects_each_byte_that_none_leaves_open() -> None:
    passkey, attacker = SoftwarePasskey(), SoftwarePasskey()
    for forgery, taken in ((Forgery(), True), (SELF, False)):
        honest = passkey.make_attestation(CHALLENGE, forgery)
        swapped = honest.attestation_object.replace(passkey.cose_key, attacker.cose_key)
        attestation = replace(honest, attestation_object=swapped)
        if taken:
            assert check(attestation).cose_key == attacker.cose_key
        else:
            assert refusal_of(attestation) == "attestation statement: InvalidSignature"


def attestation_certificate(key: ec.EllipticCurvePrivateKey, *, unit: str) -> bytes:
    """A certificate as section 8.2.1 asks, when `unit` is "Authenticator Attestation"."""
    names = {
        NameOID.COUNTRY_NAME: "AA",
        NameOID.ORGANIZATION_NAME: "Maker",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.COMMON_NAME: "Security key",
    }
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items()])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(3024, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize(
    ("unit", "signed", "outcome"),
    [
        ("Authenticator Attestation", True, "registered"),
        ("Authenticator Attestation", False, "attestation statement: InvalidSignature"),
        ("Something else", True, "attestation statement: InvalidData"),
    ],
)
def test_packed_statement_of_a_security_key_is_verified_though_not_anchored(
    *,
    unit: str,
    signed: bool,
    outcome: str,
) -> None:
    maker = ec.generate_private_key(ec.SECP256R1())
    attestation = forge(Forgery())
    decoded = cbor.decode(attestation.attestation_object)
    assert isinstance(decoded, dict)
    message = decoded["authData"] + hashlib.sha256(attestation.client_data_json).digest()
    statement = {
        "alg": ES256,
        "sig": maker.sign(message if signed else b"", ec.ECDSA(hashes.SHA256())),
        "x5c": [attestation_certificate(maker, unit=unit)],
    }
    packed = rebuild(attestation, fmt="packed", attStmt=statement)
    if outcome == "registered":
        assert check(packed) == check(attestation)
    else:
        assert refusal_of(packed) == outcome


def test_key_on_another_curve_under_the_name_es256_is_refused() -> None:
    key = cose_members(ec.generate_private_key(ec.SECP384R1()))
    assert "credential key" in refusal_of(forge(Forgery(cose_key=cbor.encode({**key, -1: 2}))))
