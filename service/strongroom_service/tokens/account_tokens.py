"""Account tokens: a JWT that a tenant signs for one of its users. Front and keeper each check it for themselves.

`typ` is absent, `JWT` or `strongroom-account+jwt`; anything else, such as the `strongroom-tenant+jwt` of tenant tokens,
is a token for another purpose.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from strongroom_service.config.tenant_file import Tenant, Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Refusal
from strongroom_service.tokens.account_claims import AccountClaims, read_account_claims
from strongroom_service.tokens.compact import rejected
from strongroom_service.tokens.signed import ABSENT, verify_signed

Value = TypeVar("Value")

# The calls of one ceremony come within minutes; what is kept for longer only makes the process larger.
CACHE_SIZE = 4_096
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
    """Checks account tokens. Not for use by several threads.

    The newest good ones are remembered until they expire, and the newest of those that can never hold: a client that
    sends one again and again has its signature verified once.
    """

    def __init__(self, tenants: Tenants, audience: str, *, cache_size: int = CACHE_SIZE) -> None:
        self._tenants = tenants
        self._audience = audience
        self._cache_size = cache_size
        # By SHA-256, so that a dump of this process's memory has no tokens from here.
        self._verified: OrderedDict[bytes, tuple[Tenant, AccountClaims]] = OrderedDict()
        self._refused: OrderedDict[bytes, str] = OrderedDict()

    def replace_tenants(self, tenants: Tenants) -> None:
        """Use these tenants from now on. What was verified, or refused, with the keys of old ones is forgotten."""
        self._tenants = tenants
        self._verified.clear()
        self._refused.clear()

    def verify(self, token: str, *, now: Millis) -> AccountIdentity:
        """Return whom `token` speaks for at `now`.

        Raises:
            Refusal: TOKEN_REJECTED, whatever is wrong with it; why is in `detail`, for the log.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        tenant, claims = self._verified.get(digest) or self._verify_signed(token, digest)
        try:
            claims.lifetime.check(now)
        except Refusal:
            self._verified.pop(digest, None)
            raise
        _remember(self._verified, digest, (tenant, claims), most=self._cache_size)
        return AccountIdentity(
            tenant=tenant.name, account=claims.account, scopes=claims.scopes, expires_at=claims.lifetime.expires_at
        )

    def _verify_signed(self, token: str, digest: bytes) -> tuple[Tenant, AccountClaims]:
        """Check all but the time: what does not depend on it, and so can be remembered."""
        if (detail := self._refused.get(digest)) is not None:
            raise rejected(detail)
        try:
            tenant, claims = verify_signed(token, types=_TYPES, tenants=self._tenants)
            return tenant, read_account_claims(claims, audience=self._audience)
        except Refusal as refusal:
            _remember(self._refused, digest, refusal.detail, most=self._cache_size)
            raise


def _remember(memory: OrderedDict[bytes, Value], digest: bytes, value: Value, *, most: int) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    if len(memory) > most:
        memory.popitem(last=False)
