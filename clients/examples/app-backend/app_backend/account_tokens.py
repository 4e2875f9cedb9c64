"""Account tokens: "the bearer is this user of ours", signed for the vault alone, for an hour at most.

The vault knows the public key from the tenant's JWK set (`python -m app_backend jwks`) and never sees the private one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

LIFETIME_SECONDS: Final = 3_600
"""The most that the vault takes (docs/protocol.md, section 7)."""
USE: Final = "vault"
USE_AND_RESET: Final = "vault reset"
"""For who has lost everything: given out after a further check of who they are, never with an ordinary sign-in."""


class KeyFault(Exception):
    """The signing key cannot be used; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountToken:
    """One token, hidden in repr: it is a bearer's."""

    token: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Signs account tokens: ES256, the key named by `kid`."""

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    issuer: str
    audience: str

    @classmethod
    def load(cls, key_file: Path, *, issuer: str, audience: str) -> Self:
        """Read the key.

        Raises:
            KeyFault: others can read it, or it is no P-256 key.
        """
        return cls(load_key(key_file), issuer, audience)

    def issue(self, account: str, *, scope: str, now_seconds: int) -> AccountToken:
        """Return a token for `account`: an id of the product's that never changes hands, not a name or an address."""
        expires_at = now_seconds + LIFETIME_SECONDS
        claims = {
            "iss": self.issuer,
            "sub": account,
            "aud": self.audience,
            "iat": now_seconds,
            "exp": expires_at,
            "scope": scope,
        }
        headers = {"kid": key_id(self.private_key), "typ": "strongroom-account+jwt"}
        token = jwt.encode(claims, self.private_key, algorithm="ES256", headers=headers)
        return AccountToken(token=token, expires_at=expires_at)


def make_key(key_file: Path) -> None:
    """Write a new key to a new file of mode 0600.

    Raises:
        FileExistsError: there is a file.
    """
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def load_key(key_file: Path) -> ec.EllipticCurvePrivateKey:
    """Read a key; raises as `TokenIssuer.load`."""
    try:
        with key_file.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFault(f"{key_file} can be read by others; its mode must be 0600")
            key = serialization.load_pem_private_key(file.read(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFault(f"{key_file}: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFault(f"{key_file} must hold an EC key on P-256")
    return key


def key_id(private_key: ec.EllipticCurvePrivateKey) -> str:
    """Return the `kid` of a key."""
    public = private_key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    return hashlib.sha256(public).hexdigest()[:16]


def jwk_set(private_key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """Return the tenant's JWK set, for the vault."""
    public = ECAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": key_id(private_key), "alg": "ES256", "use": "sig"}]}
