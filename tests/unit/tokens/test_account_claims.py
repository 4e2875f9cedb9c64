from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.tenant import AUDIENCE
from tests.unit.tokens.asking import CLAIMS, HEADER, NOW, SECONDS, TENANT, detail_of, verifier, without


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
