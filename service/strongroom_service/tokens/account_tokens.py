"""Account tokens: a JWT that a tenant signs for one of its users. Front and keeper each check it for themselves.

`typ` is absent, `JWT` or `strongroom-account+jwt`; anything else, such as the `strongroom-tenant+jwt` of tenant tokens,
is a token for another purpose.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from strongroom_service.config.tenant_file import Tenant, Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Refusal
from strongroom_service.tokens.account_claims import AccountClaims, read_account_claims
from strongroom_service.tokens.signed import ABSENT, verify_signed

CACHE_SIZE = 10_000
RESET_SCOPE = "reset"
_TYPES = (ABSENT, "JWT", "strongroom-account+jwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIdentity:
    """Who a token speaks for.

    Attributes:
        tenant: name of the tenant.
        account: the tenant's id of its user.
        scopes: what the token allows; `vault` is among them.
        expires_at: the token's `exp`.
    """

    tenant: str
    account: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: Millis


class AccountTokenVerifier:
    """Checks account tokens, and remembers the newest good ones until they expire. Not for use by several threads."""

    def __init__(self, tenants: Tenants, audience: str, *, cache_size: int = CACHE_SIZE) -> None:
        self._tenants = tenants
        self._audience = audience
        self._cache_size = cache_size
        # By SHA-256, so that a dump of this process's memory has no tokens from here.
        self._verified: OrderedDict[bytes, tuple[Tenant, AccountClaims]] = OrderedDict()

    def replace_tenants(self, tenants: Tenants) -> None:
        """Use these tenants from now on. What was verified with the keys of old ones is forgotten."""
        self._tenants = tenants
        self._verified.clear()

    def verify(self, token: str, *, now: Millis) -> AccountIdentity:
        """Return whom `token` speaks for at `now`.

        Raises:
            Refusal: TOKEN_REJECTED, whatever is wrong with it; why is in `detail`, for the log.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        tenant, claims = known or self._verify_signed(token)
        try:
            claims.lifetime.check(now)
        except Refusal:
            self._verified.pop(digest, None)
            raise
        self._verified[digest] = tenant, claims
        self._verified.move_to_end(digest)
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)
        return AccountIdentity(
            tenant=tenant.name, account=claims.account, scopes=claims.scopes, expires_at=claims.lifetime.expires_at
        )

    def _verify_signed(self, token: str) -> tuple[Tenant, AccountClaims]:
        tenant, claims = verify_signed(token, types=_TYPES, tenants=self._tenants)
        return tenant, read_account_claims(claims, audience=self._audience)
