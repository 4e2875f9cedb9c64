"""Tenant tokens: a JWT by which a tenant speaks for itself. Front and keeper each check it for themselves.

`typ` is `strongroom-tenant+jwt` and nothing else, and there is no `sub`: no account token is one, and no tenant token
is an account's. They are rare, so none is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.tokens.account_claims import read_lifetime, read_scopes
from strongroom_service.tokens.compact import rejected
from strongroom_service.tokens.signed import verify_signed

if TYPE_CHECKING:
    from strongroom_service.config.tenant_file import Tenants
    from strongroom_service.domain.clock import Millis

TYPE = "strongroom-tenant+jwt"


@unique
class TenantScope(Enum):
    """What a tenant token may allow."""

    FEED = "feed"
    ERASE = "erase"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantIdentity:
    """The tenant that a token speaks for."""

    tenant: str


class TenantTokenVerifier:
    """Checks tenant tokens."""

    def __init__(self, tenants: Tenants, audience: str) -> None:
        self._tenants = tenants
        self._audience = audience

    def verify(self, token: str, *, scope: TenantScope, now: Millis) -> TenantIdentity:
        """Return whom `token` speaks for at `now`, if it allows `scope`.

        Raises:
            Refusal: TOKEN_REJECTED, whatever is wrong with it; SCOPE_MISSING for one that holds but does not allow
            this.
        """
        tenant, claims = verify_signed(token, types=(TYPE,), tenants=self._tenants)
        if "sub" in claims:
            raise rejected("a tenant token has no sub")
        read_lifetime(claims, audience=self._audience).check(now)
        if scope.value not in read_scopes(claims.get("scope")):
            raise Refusal(Reason.SCOPE_MISSING, detail=f"scope must include {scope.value}")
        return TenantIdentity(tenant=tenant.name)
