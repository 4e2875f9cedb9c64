"""A tenant that signs whatever a test wants, right or wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from strongroom_service.config.jwks import TokenKey
from strongroom_service.config.tenant_file import ALGORITHMS, Tenant
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import AssertionPolicy
from strongroom_service.domain.policy import OnExhaustion, Policy

AUDIENCE = "https://vault.example"
RP_ID = "notes.example"
ORIGIN = "https://notes.example"


def encode_part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unsigned(header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes) -> str:
    """What is signed: header and claims, as JSON or as the very bytes given."""
    parts = (part if isinstance(part, bytes) else json.dumps(dict(part)).encode() for part in (header, claims))
    return ".".join(map(encode_part, parts))


@dataclass(frozen=True, kw_only=True)
class FakeTenant:
    """Has an ES256 key `ec` and an EdDSA key `ed`."""

    name: str = "notes"
    issuer: str = "https://login.notes.example"
    audience: str = AUDIENCE
    rp_id: str = RP_ID
    origins: frozenset[str] = frozenset({ORIGIN})
    policy: Policy = Policy(on_exhaustion=OnExhaustion.DESTROY)  # noqa: RUF009  it is frozen
    ec_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    ed_key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    def tenant(self) -> Tenant:
        """As the service would have read it from its files."""
        keys = (
            TokenKey(kid="ec", algorithm="ES256", public_key=self.ec_key.public_key()),
            TokenKey(kid="ed", algorithm="EdDSA", public_key=self.ed_key.public_key()),
        )
        return Tenant(
            name=self.name,
            issuer=self.issuer,
            keys=MappingProxyType({key.kid: key for key in keys}),
            assertion_policy=AssertionPolicy(rp_id=self.rp_id, origins=self.origins, algorithms=ALGORITHMS),
            policy=self.policy,
            development=False,
        )

    def claims(self, *, now: Millis, account: str = "alice") -> dict[str, Any]:
        seconds = now // 1_000
        return {
            "iss": self.issuer,
            "sub": account,
            "aud": self.audience,
            "iat": seconds,
            "exp": seconds + 600,
            "scope": "vault",
        }

    def token(self, *, now: Millis, account: str = "alice") -> str:
        """A good account token for ten minutes."""
        return self.sign({"alg": "ES256", "kid": "ec", "typ": "JWT"}, self.claims(now=now, account=account))

    def sign(
        self, header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, *, algorithm: str = "ES256"
    ) -> str:
        """Any header and claims, with a real signature by the key of `algorithm`."""
        content = unsigned(header, claims)
        if algorithm == "EdDSA":
            return f"{content}.{encode_part(self.ed_key.sign(content.encode()))}"
        r, s = decode_dss_signature(self.ec_key.sign(content.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{content}.{encode_part(r.to_bytes(32) + s.to_bytes(32))}"
