"""A tenant for development: makes its key, JWK set and tenant file, and signs account tokens as the product would.

    python -P deploy/development/tenant.py make FOLDER KEY_FILE [--name --issuer --rp-id --origin ...]
        writes NAME.toml and NAME.jwks.json into FOLDER, and the private key to KEY_FILE
    python -P deploy/development/tenant.py token KEY_FILE --account ID --audience VAULT [--issuer]
        prints an account token for an hour

A real product signs such tokens in its own login service, and the vault never sees its private key.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

DEFAULT_NAME = "notes"
DEFAULT_ISSUER = "https://login.notes.example"
LIFETIME_SECONDS = 3_600
ACCOUNT_SCOPE = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentTenant:
    """A tenant with its private key: ES256, `kid` made from the public key."""

    name: str
    issuer: str
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def kid(self) -> str:
        """Return the id of the key in the JWK set."""
        public = self.private_key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        return hashlib.sha256(public).hexdigest()[:16]

    def jwks(self) -> dict[str, Any]:
        """Return the JWK set with the public key."""
        key = ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self.kid, "alg": "ES256", "use": "sig"}]}


def generate_tenant(*, name: str = DEFAULT_NAME, issuer: str = DEFAULT_ISSUER) -> DevelopmentTenant:
    """Return a tenant with a fresh key."""
    return DevelopmentTenant(name=name, issuer=issuer, private_key=ec.generate_private_key(ec.SECP256R1()))


def load_tenant_key(path: Path, *, name: str = DEFAULT_NAME, issuer: str = DEFAULT_ISSUER) -> DevelopmentTenant:
    """Return the tenant whose private key (PEM) is at `path`.

    Raises:
        TypeError: it is a key of another kind.
    """
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        message = f"{path} must hold an EC key"
        raise TypeError(message)
    return DevelopmentTenant(name=name, issuer=issuer, private_key=key)


def write_tenant(
    tenant: DevelopmentTenant,
    folder: Path,
    *,
    rp_id: str = "localhost",
    origins: tuple[str, ...] = ("http://localhost",),
) -> Path:
    """Write the tenant's file and JWK set into `folder`, and return the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    jwks_file = folder / f"{tenant.name}.jwks.json"
    jwks_file.write_text(json.dumps(tenant.jwks(), indent=2) + "\n")
    tenant_file = folder / f"{tenant.name}.toml"
    # A JSON string without control characters is a TOML string.
    tenant_file.write_text(
        f"name = {json.dumps(tenant.name)}\n"
        f"issuer = {json.dumps(tenant.issuer)}\n"
        f"jwks_file = {json.dumps(jwks_file.name)}\n"
        "development = true\n"
        f"rp_id = {json.dumps(rp_id)}\n"
        f"origins = {json.dumps(list(origins))}\n"
        '\n[policy]\non_exhaustion = "destroy"\n'
    )
    return tenant_file


def write_tenant_key(tenant: DevelopmentTenant, path: Path) -> None:
    """Write the private key to a new file at `path`, mode 0600. Keep it out of the folder that the vault reads."""
    pem = tenant.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def issue_account_token(
    tenant: DevelopmentTenant,
    *,
    account: str,
    audience: str,
    now_seconds: int,
    lifetime_seconds: int = LIFETIME_SECONDS,
    scope: str = ACCOUNT_SCOPE,
) -> str:
    """Return an account token: `account` may use its vault at `audience` from `now_seconds` (unix) on.

    A `scope` of "vault reset" allows a reset too: a product gives it out only after a check of its own.
    """
    claims = {
        "iss": tenant.issuer,
        "sub": account,
        "aud": audience,
        "iat": now_seconds,
        "exp": now_seconds + lifetime_seconds,
        "scope": scope,
    }
    return _sign(tenant, claims, typ="strongroom-account+jwt")


def issue_tenant_token(tenant: DevelopmentTenant, *, audience: str, now_seconds: int, scope: str) -> str:
    """Return a tenant token for `audience`: `scope` is "feed", "erase" or both."""
    claims = {
        "iss": tenant.issuer,
        "aud": audience,
        "iat": now_seconds,
        "exp": now_seconds + LIFETIME_SECONDS,
        "scope": scope,
    }
    return _sign(tenant, claims, typ="strongroom-tenant+jwt")


def _sign(tenant: DevelopmentTenant, claims: Mapping[str, object], *, typ: str) -> str:
    headers = {"kid": tenant.kid, "typ": typ}
    return jwt.encode(dict(claims), tenant.private_key, algorithm="ES256", headers=headers)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="A tenant for development.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="write a tenant's files")
    make.add_argument("folder", type=Path)
    make.add_argument("key_file", type=Path)
    make.add_argument("--name", default=DEFAULT_NAME)
    make.add_argument("--issuer", default=DEFAULT_ISSUER)
    make.add_argument("--rp-id", default="localhost")
    make.add_argument("--origin", action="append", help="may be repeated; default http://localhost")
    token = commands.add_parser("token", help="print an account token")
    token.add_argument("key_file", type=Path)
    token.add_argument("--issuer", default=DEFAULT_ISSUER)
    token.add_argument("--account", required=True)
    token.add_argument("--audience", required=True)
    arguments = parser.parse_args()
    if arguments.command == "make":
        tenant = generate_tenant(name=arguments.name, issuer=arguments.issuer)
        write_tenant_key(tenant, arguments.key_file)
        origins = tuple(arguments.origin or ["http://localhost"])
        print(write_tenant(tenant, arguments.folder, rp_id=arguments.rp_id, origins=origins))
    else:
        tenant = load_tenant_key(arguments.key_file, issuer=arguments.issuer)
        account, audience = arguments.account, arguments.audience
        print(issue_account_token(tenant, account=account, audience=audience, now_seconds=int(time.time())))


if __name__ == "__main__":
    main()
