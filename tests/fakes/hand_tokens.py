"""Tokens of a development tenant, right but for what a test wants otherwise."""

from __future__ import annotations

import time

import jwt

from deploy.development.environment import AUDIENCE
from deploy.development.tenant import DevelopmentTenant

ACCOUNT_TYPE, TENANT_TYPE = "strongroom-account+jwt", "strongroom-tenant+jwt"
Metadata = tuple[tuple[str, str], ...]


def account_token(
    tenant: DevelopmentTenant, account: str, *, scope: str = "vault reset", typ: str = ACCOUNT_TYPE, **claims: object
) -> str:
    return _token(tenant, typ=typ, sub=account, scope=scope, **claims)


def tenant_token(
    tenant: DevelopmentTenant, *, scope: str = "feed erase", typ: str = TENANT_TYPE, **claims: object
) -> str:
    return _token(tenant, typ=typ, scope=scope, **claims)


def bearing(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _token(tenant: DevelopmentTenant, *, typ: str, **claims: object) -> str:
    now = int(time.time())
    whole = {"iss": tenant.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 600, **claims}
    return jwt.encode(whole, tenant.private_key, algorithm="ES256", headers={"kid": tenant.kid, "typ": typ})
