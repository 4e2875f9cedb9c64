"""The signature of a token: which tenant's key it must be by, and that it is.

The unverified `iss` chooses the tenant and `kid` one of its keys; the key alone says which algorithm signs. Keys in or
named by the header (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from strongroom_service.tokens.compact import CompactToken, parse_compact, rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from strongroom_service.config.jwks import TokenKey
    from strongroom_service.config.tenant_file import Tenant, Tenants


ABSENT: Final = object()
"""In the place of a `typ` that a token may do without."""


def verify_signed(token: str, *, types: Collection[object], tenants: Tenants) -> tuple[Tenant, Mapping[str, Any]]:
    """Return the tenant that signed `token`, and what it says, not yet looked at.

    `types` are the values of `typ` (RFC 8725 section 3.11) that this kind of token has; ABSENT stands for no `typ` at
    all.

    Raises:
        Refusal: TOKEN_REJECTED.
    """
    parsed = parse_compact(token)
    tenant, key = _choose_key(parsed, types=types, tenants=tenants)
    _check_signature(token, key=key)
    return tenant, parsed.claims


def _choose_key(parsed: CompactToken, *, types: Collection[object], tenants: Tenants) -> tuple[Tenant, TokenKey]:
    header = parsed.header
    if header.get("typ", ABSENT) not in types:
        raise rejected("typ is of another kind of token")
    # RFC 7515 section 4.1.11: a critical extension that is not understood makes the token invalid. We know none,
    # and `b64` (RFC 7797), which changes what is signed, is refused whether it is called critical or not.
    if "crit" in header or "b64" in header:
        raise rejected("crit and b64 are not understood")
    issuer, kid = parsed.claims.get("iss"), header.get("kid")
    tenant = tenants.issuing_as(issuer) if isinstance(issuer, str) else None
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
    try:
        _jws(key.algorithm).decode_complete(
            token,
            key=key.public_key,
            algorithms=[key.algorithm],
            options={"verify_signature": True, "enforce_minimum_key_length": True},
        )
    except (PyJWTError, ValueError, TypeError) as error:
        raise rejected(f"signature: {type(error).__name__}") from None


@functools.cache  # of what keys allow, two
def _jws(algorithm: str) -> PyJWS:
    # Claims are not PyJWT's affair here: it would measure time by its own clock.
    return PyJWS(algorithms=[algorithm])
