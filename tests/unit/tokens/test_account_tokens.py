from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from deploy.development.tenant import generate_tenant, issue_account_token
from strongroom_service.config.jwks import TokenKey
from strongroom_service.config.tenant_file import Tenant, Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.tokens.account_tokens import AccountIdentity, AccountTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant, encode_part, unsigned

NOW = Millis(1_800_000_000_000)
SECONDS = NOW // 1_000
TENANT = FakeTenant()
HEADER = {"alg": "ES256", "kid": "ec", "typ": "JWT"}
CLAIMS = TENANT.claims(now=NOW)


def verifier(*tenants: FakeTenant) -> AccountTokenVerifier:
    return AccountTokenVerifier(Tenants(fake.tenant() for fake in tenants or (TENANT,)), AUDIENCE)


def detail_of(token: str, *, now: Millis = NOW) -> str:
    with pytest.raises(Refusal) as caught:
        verifier().verify(token, now=now)
    assert caught.value.reason is Reason.TOKEN_REJECTED
    assert type(caught.value) is Refusal
    assert token not in caught.value.detail or not token
    return caught.value.detail


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


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


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [AUDIENCE]},
        {"iat": SECONDS + 60, "exp": SECONDS + 660},
        {"nbf": SECONDS},
        {"nbf": SECONDS + 60},
        {"exp": SECONDS - 4, "iat": SECONDS - 600},
        {"iat": SECONDS - 3_000, "exp": SECONDS + 600},
        {"sub": "a"},
        {"sub": "a" * 255},
        {"sub": "é" * 127},
        {"sub": "Zoë 中 🗝"},
        {"scope": "vault reset"},
        {"scope": "openid vault"},
        {"jti": "1", "extra": {"nested": [1.5]}},
    ],
)
def test_claims_at_their_limits_are_accepted(change: dict[str, Any]) -> None:
    verifier().verify(TENANT.sign(HEADER, {**CLAIMS, **change}), now=NOW)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": [TENANT.issuer]}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "https://other.example"}, "aud"),
        ({"aud": AUDIENCE.upper()}, "aud"),
        ({"aud": [AUDIENCE, "https://other.example"]}, "aud"),
        ({"aud": [AUDIENCE, AUDIENCE]}, "aud"),
        ({"aud": [[AUDIENCE]]}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": {AUDIENCE: 1}}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": SECONDS - 5, "iat": SECONDS - 600}, "expired"),
        ({"exp": float(SECONDS + 600)}, "exp"),
        ({"exp": str(SECONDS + 600)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": 10**300}, "exp"),
        ({"exp": SECONDS + 3_601}, "exp"),
        ({"exp": SECONDS}, "exp"),
        ({"iat": SECONDS + 61}, "not valid yet"),
        ({"iat": float(SECONDS)}, "iat"),
        ({"iat": str(SECONDS)}, "iat"),
        ({"iat": False}, "iat"),
        ({"iat": -1}, "iat"),
        ({"iat": SECONDS - 3_001, "exp": SECONDS + 600}, "exp"),
        ({"nbf": SECONDS + 61}, "not valid yet"),
        ({"nbf": "soon"}, "nbf"),
        ({"nbf": None}, "nbf"),
        ({"nbf": float(SECONDS)}, "nbf"),
        ({"sub": ""}, "sub"),
        ({"sub": "a" * 256}, "sub"),
        ({"sub": "é" * 128}, "sub"),
        ({"sub": "a\0"}, "sub"),
        ({"sub": "a\n"}, "sub"),
        ({"sub": "a\x7f"}, "sub"),
        ({"sub": "a\x85"}, "sub"),
        ({"sub": "\ud800"}, "sub"),
        ({"sub": 1}, "sub"),
        ({"sub": ["alice"]}, "sub"),
        ({"sub": None}, "sub"),
        ({"scope": ""}, "scope"),
        ({"scope": "reset"}, "scope"),
        ({"scope": "vaults"}, "scope"),
        ({"scope": "VAULT"}, "scope"),
        ({"scope": " vault"}, "scope"),
        ({"scope": "vault  reset"}, "scope"),
        ({"scope": "vault\treset"}, "scope"),
        ({"scope": ["vault"]}, "scope"),
        ({"scope": None}, "scope"),
    ],
)
def test_claim_that_breaks_its_rule_is_refused(change: dict[str, Any], detail: str) -> None:
    assert detail in detail_of(TENANT.sign(HEADER, {**CLAIMS, **change}))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "exp", "scope"])
def test_missing_claim_is_refused(name: str) -> None:
    assert name in detail_of(TENANT.sign(HEADER, without(CLAIMS, name)))


def test_size_is_bounded_at_four_kibibytes() -> None:
    padding = 4_096 - len(TENANT.sign(HEADER, {**CLAIMS, "jti": ""}))
    longest = TENANT.sign(HEADER, {**CLAIMS, "jti": "x" * (padding * 3 // 4)})
    too_long = TENANT.sign(HEADER, {**CLAIMS, "jti": "x" * (padding * 3 // 4 + 3)})

    assert len(longest) <= 4_096 < len(too_long)
    verifier().verify(longest, now=NOW)
    assert "4096" in detail_of(too_long)


def _padded(token: str) -> str:
    return f"{token}=="


def _respelled(token: str) -> str:
    # 64 bytes leave four unused bits in the last character: another spelling of the same signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(respelled[-88:] + "==")[-8:] == base64.urlsafe_b64decode(token[-88:] + "==")[-8:]
    return respelled


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: ".",
        lambda token: "..",
        lambda token: token.rpartition(".")[0],
        lambda token: f"{token}.AA",
        lambda token: f"{token}..",
        lambda token: f".{token}",
        lambda token: f" {token}",
        lambda token: f"{token}\n",
        lambda token: f"Bearer {token}",
        lambda token: token.replace(".", ". "),
        lambda token: f"{token}é",
        lambda token: f"{token}\ud800",
        lambda token: token[:-1],
        _padded,
        _respelled,
    ],
)
def test_token_of_another_shape_is_refused(change: Callable[[str], str]) -> None:
    token = TENANT.sign(HEADER, CLAIMS)
    verifier().verify(token, now=NOW)

    detail_of(change(token))


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"[]",
        b"1",
        b'"JWT"',
        b"null",
        b"{",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        b'{"alg":"none","alg":"ES256"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":' + 1_400 * b"[" + 1_400 * b"]" + b"}",
        b"[" * 2_900,
    ],
)
def test_part_that_is_no_strict_json_object_is_refused(part: bytes) -> None:
    verifier().verify(TENANT.sign(json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode()), now=NOW)

    detail_of(TENANT.sign(part, CLAIMS))
    detail_of(TENANT.sign(HEADER, part))


@pytest.mark.parametrize("name", ["sub", "aud", "exp"])
def test_claim_that_stands_twice_is_refused(name: str) -> None:
    twice = json.dumps(CLAIMS)[:-1] + f', "{name}": {json.dumps(CLAIMS[name])}}}'

    assert "unique" in detail_of(TENANT.sign(HEADER, twice.encode()))


class CountingTenants(Tenants):
    lookups = 0

    def issuing_as(self, issuer: str) -> Tenant | None:
        self.lookups += 1
        return super().issuing_as(issuer)


def test_verified_token_is_remembered_but_never_outlives_its_expiry() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE)
    token = TENANT.token(now=NOW)

    assert checks.verify(token, now=NOW) == checks.verify(token, now=Millis(NOW + 604_999))
    assert tenants.lookups == 1
    with pytest.raises(Refusal) as caught:
        checks.verify(token, now=Millis(NOW + 605_000))
    assert caught.value.detail == "expired"


def test_remembered_token_is_refused_before_its_time() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)

    with pytest.raises(Refusal) as caught:
        checks.verify(token, now=Millis(NOW - 60_001))
    assert caught.value.detail == "not valid yet"
    checks.verify(token, now=NOW)


def test_tokens_of_a_replaced_key_are_forgotten() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)
    successor = FakeTenant()

    checks.replace_tenants(Tenants([successor.tenant()]))

    with pytest.raises(Refusal):
        checks.verify(token, now=NOW)
    checks.verify(successor.token(now=NOW), now=NOW)


def test_refused_token_is_not_remembered_as_good() -> None:
    checks = verifier()
    token = FakeTenant().sign(HEADER, CLAIMS)

    for _ in range(2):
        with pytest.raises(Refusal):
            checks.verify(token, now=NOW)


def test_memory_is_bounded_and_the_least_used_token_goes_first() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE, cache_size=2)
    first, second, third = (TENANT.token(now=NOW, account=name) for name in ("a", "b", "c"))

    for token in (first, second, first, third, first):
        checks.verify(token, now=NOW)
    assert tenants.lookups == 3
    checks.verify(second, now=NOW)

    assert tenants.lookups == 4


def test_cache_is_keyed_by_the_whole_token() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")

    with pytest.raises(Refusal):
        checks.verify(forged, now=NOW)
