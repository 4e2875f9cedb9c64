from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from deploy.development.tenant import generate_tenant, issue_account_token
from strongroom_service.config.jwks import TokenKey
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Refusal
from strongroom_service.tokens.account_tokens import AccountIdentity, AccountTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant, encode_part, unsigned
from tests.unit.tokens.asking import CLAIMS, HEADER, NOW, SECONDS, TENANT, detail_of, verifier, without


def test_good_token_says_who_calls() -> None:
    identity = verifier().verify(TENANT.sign(HEADER, CLAIMS), now=NOW)

    assert identity == AccountIdentity(
        tenant="notes", account="alice", scopes=frozenset({"vault"}), expires_at=Millis(NOW + 600_000)
    )
    assert "alice" not in repr(identity)


def test_token_of_the_development_tenant_is_good() -> None:
    product = generate_tenant(name="notes", issuer=TENANT.issuer)
    key = TokenKey(kid=product.kid, algorithm="ES256", public_key=product.private_key.public_key())
    tenant = replace(TENANT.tenant(), keys={product.kid: key})
    checks = AccountTokenVerifier(Tenants([tenant]), AUDIENCE)

    identity = checks.verify(
        issue_account_token(product, account="bob", audience=AUDIENCE, now_seconds=SECONDS), now=NOW
    )

    assert (identity.tenant, identity.account) == ("notes", "bob")


@pytest.mark.parametrize(
    "header",
    [
        without(HEADER, "typ"),
        {**HEADER, "typ": "strongroom-account+jwt"},
        {**HEADER, "extra": ["ignored"]},
    ],
)
def test_header_of_an_account_token_is_accepted(header: dict[str, Any]) -> None:
    verifier().verify(TENANT.sign(header, CLAIMS), now=NOW)


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({**HEADER, "typ": "strongroom-tenant+jwt"}, "typ"),
        ({**HEADER, "typ": "at+jwt"}, "typ"),
        ({**HEADER, "typ": "jwt"}, "typ"),
        ({**HEADER, "typ": None}, "typ"),
        ({**HEADER, "typ": ["JWT"]}, "typ"),
        ({**HEADER, "crit": ["exp"]}, "crit"),
        ({**HEADER, "crit": []}, "crit"),
        ({**HEADER, "b64": False}, "b64"),
        ({**HEADER, "b64": False, "crit": ["b64"]}, "b64"),
        (without(HEADER, "kid"), "kid"),
        ({**HEADER, "kid": "unknown"}, "kid"),
        ({**HEADER, "kid": ["ec"]}, "kid"),
        ({**HEADER, "kid": None}, "kid"),
        (without(HEADER, "alg"), "alg"),
        ({**HEADER, "alg": ["ES256"]}, "alg"),
        ({**HEADER, "alg": "ES384"}, "alg"),
        ({**HEADER, "alg": "es256"}, "alg"),
        ({**HEADER, "alg": "RS256"}, "alg"),
    ],
)
def test_header_of_another_kind_of_token_is_refused(header: dict[str, Any], detail: str) -> None:
    verifier().verify(TENANT.sign(HEADER, CLAIMS), now=NOW)

    assert detail in detail_of(TENANT.sign(header, CLAIMS))


def test_both_algorithms_are_verified_with_their_own_keys() -> None:
    header = {**HEADER, "alg": "EdDSA", "kid": "ed"}

    assert verifier().verify(TENANT.sign(header, CLAIMS, algorithm="EdDSA"), now=NOW).account == "alice"


@pytest.mark.parametrize(
    ("alg", "kid", "signed_with"),
    [("EdDSA", "ec", "EdDSA"), ("ES256", "ed", "ES256"), ("EdDSA", "ec", "ES256"), ("ES256", "ed", "EdDSA")],
)
def test_algorithm_of_another_key_is_refused(alg: str, kid: str, signed_with: str) -> None:
    token = TENANT.sign({**HEADER, "alg": alg, "kid": kid}, CLAIMS, algorithm=signed_with)

    assert "alg" in detail_of(token)


@pytest.mark.parametrize(("alg", "signed_with"), [("ES256", "EdDSA"), ("EdDSA", "ES256")])
def test_signature_of_the_other_key_is_refused(alg: str, signed_with: str) -> None:
    token = TENANT.sign(
        {**HEADER, "alg": alg, "kid": alg[:2].lower().replace("es", "ec")}, CLAIMS, algorithm=signed_with
    )

    assert "signature" in detail_of(token)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None])
@pytest.mark.parametrize("signature", ["", ".", ".AA", ".AAAA"])
def test_unsigned_token_is_refused(alg: str | None, signature: str) -> None:
    detail_of(unsigned({**HEADER, "alg": alg}, CLAIMS) + signature)


@pytest.mark.parametrize("form", ["pem", "point", "jwk", "der"])
def test_public_key_does_not_serve_as_an_hmac_secret(form: str) -> None:
    public = TENANT.ec_key.public_key()
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint),
        "jwk": ECAlgorithm.to_jwk(public).encode(),
    }[form]
    content = unsigned({**HEADER, "alg": "HS256"}, CLAIMS)
    token = f"{content}.{encode_part(hmac.digest(secret, content.encode(), 'sha256'))}"

    assert "alg" in detail_of(token)


def test_key_that_the_token_brings_along_is_not_trusted() -> None:
    intruder = FakeTenant()
    jwk = {**ECAlgorithm.to_jwk(intruder.ec_key.public_key(), as_dict=True), "kid": "ec", "alg": "ES256"}
    for member in (
        {"jwk": jwk},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example"},
        {"x5c": ["AA"]},
    ):
        assert "signature" in detail_of(intruder.sign({**HEADER, **member}, CLAIMS))
        assert "kid" in detail_of(intruder.sign({**without(HEADER, "kid"), **member}, CLAIMS))
        verifier().verify(TENANT.sign({**HEADER, **member}, CLAIMS), now=NOW)  # ignored, not believed


def test_signature_by_nobodys_key_is_refused() -> None:
    assert "signature" in detail_of(FakeTenant().sign(HEADER, CLAIMS))


def test_signature_in_der_is_refused() -> None:
    content = unsigned(HEADER, CLAIMS)
    der = TENANT.ec_key.sign(content.encode(), ec.ECDSA(ECAlgorithm.SHA256()))

    assert "signature" in detail_of(f"{content}.{encode_part(der)}")


@pytest.mark.parametrize(
    "signature", [bytes(64), bytes(31) + b"\1" + bytes(31) + b"\1", bytes(63), bytes(65), b"\xff" * 64]
)
def test_signature_of_trivial_numbers_is_refused(signature: bytes) -> None:
    assert "signature" in detail_of(f"{unsigned(HEADER, CLAIMS)}.{encode_part(signature)}")


def test_changed_header_or_claims_are_refused() -> None:
    signature = TENANT.sign(HEADER, CLAIMS).rpartition(".")[2]

    assert "signature" in detail_of(f"{unsigned(HEADER, {**CLAIMS, 'sub': 'bob'})}.{signature}")
    assert "signature" in detail_of(f"{unsigned(without(HEADER, 'typ'), CLAIMS)}.{signature}")


def test_issuer_chooses_the_tenant_and_only_its_keys() -> None:
    other = FakeTenant(name="other", issuer="https://login.other.example")
    checks = verifier(TENANT, other)

    assert checks.verify(TENANT.token(now=NOW), now=NOW).tenant == "notes"
    assert checks.verify(other.token(now=NOW), now=NOW).tenant == "other"
    with pytest.raises(Refusal, match="TOKEN_REJECTED"):
        checks.verify(other.sign(HEADER, CLAIMS), now=NOW)
