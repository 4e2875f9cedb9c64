"""What a token says (RFC 7519 section 4.1), and from when until when it may be believed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom_service.domain.clock import Millis
from strongroom_service.tokens.compact import rejected

MAX_LIFETIME_SECONDS = 3_600
MAX_ACCOUNT_BYTES = 255
VAULT_SCOPE = "vault"

# A tenant's clock may be ahead of ours by so much; one that is behind shortens its tokens, which harms nobody.
_AHEAD_LEEWAY_SECONDS = 60
# A token that was good when it was sent.
_EXPIRY_LEEWAY_SECONDS = 5
_MAX_TIME_SECONDS = 2**40
# RFC 6749 section 3.3.
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """From when until when a token may be believed.

    Attributes:
        valid_from: when the token begins to hold, leeway included.
        valid_until: when it ceases to, leeway included.
        expires_at: `exp`.
    """

    valid_from: Millis
    valid_until: Millis
    expires_at: Millis

    def check(self, now: Millis) -> None:
        """Check that the token holds now.

        Raises:
            Refusal: TOKEN_REJECTED.
        """
        if now < self.valid_from:
            raise rejected("not valid yet")
        if now >= self.valid_until:
            raise rejected("expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClaims:
    """The claims of an account token, each checked but for time.

    Attributes:
        account: `sub`, the tenant's id of its user, 1 to 255 bytes of UTF-8 without control characters.
        scopes: `scope`, split; `vault` is among them.
        lifetime: when it may be believed.
    """

    account: str = field(repr=False)
    scopes: frozenset[str]
    lifetime: Lifetime


def read_account_claims(claims: Mapping[str, Any], *, audience: str) -> AccountClaims:
    """Check what the claims of an account token say, but for time.

    Raises:
        Refusal: TOKEN_REJECTED.
    """
    lifetime = read_lifetime(claims, audience=audience)
    return AccountClaims(
        account=_account(claims.get("sub")),
        scopes=_account_scopes(claims.get("scope")),
        lifetime=lifetime,
    )


def read_lifetime(claims: Mapping[str, Any], *, audience: str) -> Lifetime:
    """Check whom a token is for and how long it lives, and return when it may be believed.

    Raises:
        Refusal: TOKEN_REJECTED.
    """
    if claims.get("aud") not in (audience, [audience]):
        raise rejected("aud must be this vault and nobody else")
    issued_at, expires_at = _seconds(claims, "iat"), _seconds(claims, "exp")
    if not 0 < expires_at - issued_at <= MAX_LIFETIME_SECONDS:
        raise rejected(f"exp must be at most {MAX_LIFETIME_SECONDS} seconds after iat")
    not_before = _seconds(claims, "nbf") if "nbf" in claims else issued_at
    return Lifetime(
        valid_from=Millis((max(issued_at, not_before) - _AHEAD_LEEWAY_SECONDS) * 1_000),
        valid_until=Millis((expires_at + _EXPIRY_LEEWAY_SECONDS) * 1_000),
        expires_at=Millis(expires_at * 1_000),
    )


def read_scopes(scope: object) -> frozenset[str]:
    """Return the names in a `scope` claim.

    Raises:
        Refusal: TOKEN_REJECTED.
    """
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        raise rejected("scope must be names with single spaces between them")
    return frozenset(scope.split(" "))


def check_account_name(account: str) -> str:
    """Return `account` if it can be one: 1 to 255 bytes of UTF-8 without control characters.

    Raises:
        ValueError: what it must be.
    """
    try:
        size = len(account.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError("must be Unicode: it has half of a surrogate pair") from None
    if not 1 <= size <= MAX_ACCOUNT_BYTES or any(unicodedata.category(sign) == "Cc" for sign in account):
        message = f"must be 1 to {MAX_ACCOUNT_BYTES} bytes without control characters"
        raise ValueError(message)
    return account


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    # True is an int to Python, and a float would make the lifetime a matter of rounding.
    if type(value) is not int or not 0 <= value < _MAX_TIME_SECONDS:
        raise rejected(f"{name} must be whole seconds since 1970")
    return value


def _account(subject: object) -> str:
    if not isinstance(subject, str):
        raise rejected("sub must be a string")
    try:
        return check_account_name(subject)
    except ValueError as error:
        raise rejected(f"sub {error}") from None


def _account_scopes(scope: object) -> frozenset[str]:
    scopes = read_scopes(scope)
    if VAULT_SCOPE not in scopes:
        raise rejected(f"scope must include {VAULT_SCOPE}")
    return scopes
