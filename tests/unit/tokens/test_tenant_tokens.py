from __future__ import annotations

from typing import Any

import pytest

from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.tokens.tenant_tokens import TenantIdentity, TenantScope, TenantTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant
from tests.unit.tokens.asking import NOW, SECONDS, TENANT, without

HEADER = {"alg": "ES256", "kid": "ec", "typ": "strongroom-tenant+jwt"}
CLAIMS = {**without(TENANT.claims(now=NOW), "sub"), "scope": "feed erase"}
OTHER = FakeTenant(name="photos", issuer="https://login.photos.example")


def verify(token: str, *, scope: TenantScope = TenantScope.FEED, now: Millis = NOW) -> TenantIdentity:
    verifier = TenantTokenVerifier(Tenants([TENANT.tenant(), OTHER.tenant()]), AUDIENCE)
    return verifier.verify(token, scope=scope, now=now)


def refused(token: str, *, scope: TenantScope = TenantScope.FEED, now: Millis = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        verify(token, scope=scope, now=now)
    assert token not in caught.value.detail
    return caught.value


@pytest.mark.parametrize("scope", TenantScope)
def test_good_token_says_which_tenant_calls(scope: TenantScope) -> None:
    assert verify(TENANT.sign(HEADER, CLAIMS), scope=scope) == TenantIdentity(tenant="notes")


def test_eddsa_is_a_signature_too() -> None:
    token = TENANT.sign({**HEADER, "alg": "EdDSA", "kid": "ed"}, CLAIMS, algorithm="EdDSA")
    assert verify(token).tenant == "notes"


@pytest.mark.parametrize(
    "header",
    [
        without(HEADER, "typ"),
        {**HEADER, "typ": "JWT"},
        {**HEADER, "typ": "strongroom-account+jwt"},
        {**HEADER, "typ": "STRONGROOM-TENANT+JWT"},
        {**HEADER, "typ": "application/strongroom-tenant+jwt"},
        {**HEADER, "typ": None},
        {**HEADER, "typ": ["strongroom-tenant+jwt"]},
    ],
    ids=lambda header: str(header.get("typ", "absent")),
)
def test_token_of_another_kind_is_rejected(header: dict[str, Any]) -> None:
    refusal = refused(TENANT.sign(header, CLAIMS))
    assert (refusal.reason, refusal.detail) == (Reason.TOKEN_REJECTED, "typ is of another kind of token")


@pytest.mark.parametrize("subject", ["alice", "", None, 7])
def test_token_that_names_an_account_is_no_tenants(subject: object) -> None:
    refusal = refused(TENANT.sign(HEADER, {**CLAIMS, "sub": subject}))
    assert (refusal.reason, refusal.detail) == (Reason.TOKEN_REJECTED, "a tenant token has no sub")


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "aud": "https://elsewhere.example"},
        {**CLAIMS, "aud": [AUDIENCE, "https://elsewhere.example"]},
        without(CLAIMS, "aud"),
        {**CLAIMS, "exp": SECONDS + 3_601},
        without(CLAIMS, "exp"),
        {**CLAIMS, "iat": SECONDS + 300, "exp": SECONDS + 600},
        {**CLAIMS, "iss": "https://nobody.example"},
        without(CLAIMS, "scope"),
        {**CLAIMS, "scope": ["feed"]},
        {**CLAIMS, "scope": "feed  erase"},
    ],
    ids=str,
)
def test_claim_that_is_not_right_is_rejected(claims: dict[str, Any]) -> None:
    assert refused(TENANT.sign(HEADER, claims)).reason is Reason.TOKEN_REJECTED


def test_token_signed_by_another_tenant_is_rejected() -> None:
    refusal = refused(OTHER.sign(HEADER, CLAIMS))
    assert refusal.reason is Reason.TOKEN_REJECTED
    assert refusal.detail.startswith("signature")


def test_token_ends_in_its_time() -> None:
    token = TENANT.sign(HEADER, CLAIMS)
    verify(token, now=Millis(NOW + 604_999))
    assert refused(token, now=Millis(NOW + 605_000)).detail == "expired"


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("feed", TenantScope.ERASE),
        ("erase", TenantScope.FEED),
        ("vault", TenantScope.FEED),
        ("feeder erased", TenantScope.FEED),
        ("FEED", TenantScope.FEED),
    ],
)
def test_token_that_does_not_allow_it_is_told_so(held: str, asked: TenantScope) -> None:
    token = TENANT.sign(HEADER, {**CLAIMS, "scope": held})
    assert refused(token, scope=asked).reason is Reason.SCOPE_MISSING


def test_scope_of_a_token_that_does_not_hold_is_not_told() -> None:
    expired = {**CLAIMS, "scope": "vault", "iat": SECONDS - 4_000, "exp": SECONDS - 3_000}
    assert refused(TENANT.sign(HEADER, expired)).reason is Reason.TOKEN_REJECTED
