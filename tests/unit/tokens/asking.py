"""Asks a verifier, and demands the one refusal."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant

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
