"""Account tokens: a JWT that a tenant signs for one of its users. Front and keeper each check it for themselves.

`typ` is absent, `JWT` or `strongroom-account+jwt` (RFC 8725 section 3.11); anything else, such as the
`strongroom-tenant+jwt` of tenant tokens, is a token for another purpose. The unverified `iss` chooses the tenant and
`kid` one of its keys; the key alone says which algorithm signs. Keys in or named by the header (`jwk`, `jku`, `x5c`,
`x5u`) are never looked at.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from strongroom_service.config.jwks import TokenKey
from strongroom_service.config.tenant_file import Tenant, Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Refusal
from strongroom_service.tokens.account_claims import AccountClaims, read_account_claims
from strongroom_service.tokens.compact import CompactToken, parse_compact, rejected

CACHE_SIZE = 10_000
_DEFAULT_TYPE = "JWT"
_TYPES = (_DEFAULT_TYPE, "strongroom-account+jwt")


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
            claims.check_time(now)
        except Refusal:
            self._verified.pop(digest, None)
            raise
        self._verified[digest] = tenant, claims
        self._verified.move_to_end(digest)
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)
        return AccountIdentity(
            tenant=tenant.name, account=claims.account, scopes=claims.scopes, expires_at=claims.expires_at
        )

    def _verify_signed(self, token: str) -> tuple[Tenant, AccountClaims]:
        parsed = parse_compact(token)
        tenant, key = self._choose_key(parsed)
        _check_signature(token, key=key)
        return tenant, read_account_claims(parsed.claims, audience=self._audience)

    def _choose_key(self, parsed: CompactToken) -> tuple[Tenant, TokenKey]:
        header = parsed.header
        if header.get("typ", _DEFAULT_TYPE) not in _TYPES:
            raise rejected("typ is of another kind of token")
        # RFC 7515 section 4.1.11: a critical extension that is not understood makes the token invalid. We know none,
        # and `b64` (RFC 7797), which changes what is signed, is refused whether it is called critical or not.
        if "crit" in header or "b64" in header:
            raise rejected("crit and b64 are not understood")
        issuer, kid = parsed.claims.get("iss"), header.get("kid")
        tenant = self._tenants.issuing_as(issuer) if isinstance(issuer, str) else None
        if tenant is None:
            raise rejected("iss is no tenant")
        key = tenant.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise rejected("kid is no key of this tenant")
        if header.get("alg") != key.algorithm:
            raise rejected("alg is not the key's")
        return tenant, key


def _check_signature(token: str, *, key: TokenKey) -> None:
    """Check the signature over exactly the parts that were parsed. Raises Refusal."""
    # Claims are not PyJWT's affair here: it would measure time by its own clock.
    jws = PyJWS(algorithms=[key.algorithm])
    try:
        jws.decode_complete(
            token,
            key=key.public_key,
            algorithms=[key.algorithm],
            options={"verify_signature": True, "enforce_minimum_key_length": True},
        )
    except (PyJWTError, ValueError, TypeError) as error:
        raise rejected(f"signature: {type(error).__name__}") from None
