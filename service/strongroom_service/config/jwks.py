"""A tenant's public keys: a JWK set (RFC 7517) of ES256 and EdDSA keys, each with its one algorithm."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom_service.config.faults import ConfigFault, FaultyFile, read_bytes
from strongroom_service.config.files import DISK, ConfigFiles

MAX_KEYS = 16
MAX_KID_LENGTH = 128
_COORDINATE_BYTES = 32
# RFC 7518 section 6: private members of EC, OKP and RSA keys, and the value of a symmetric key.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Algorithm = Literal["ES256", "EdDSA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """One public key of a tenant. `algorithm` is pinned here: what a token's header says never chooses it."""

    kid: str
    algorithm: Algorithm
    public_key: EllipticCurvePublicKey | Ed25519PublicKey = field(compare=False)


def load_keys(path: Path, *, files: ConfigFiles = DISK) -> Mapping[str, TokenKey]:
    """Return the keys of the JWK set at `path`, by `kid`.

    Raises:
        FaultyFile: every fault in it; no key material is repeated.
    """
    content = read_bytes(path, files)
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique_members)
    except (ValueError, RecursionError) as error:
        raise FaultyFile([_fault(path, "", "is not JSON in UTF-8 with unique member names")]) from error
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        raise FaultyFile([_fault(path, "keys", f"must be a list of 1 to {MAX_KEYS} keys")])
    keys: dict[str, TokenKey] = {}
    faults = []
    for index, member in enumerate(members):
        try:
            key = _read_key(member)
        except ValueError as error:
            faults.append(_fault(path, f"keys.{index}", str(error)))
            continue
        if key.kid in keys:
            faults.append(_fault(path, f"keys.{index}", "kid must be unique in the set"))
        keys[key.kid] = key
    if faults:
        raise FaultyFile(faults)
    return MappingProxyType(keys)


def _read_key(member: object) -> TokenKey:
    """Return the key of one JWK. Raises ValueError with the rules that it broke."""
    if not isinstance(member, dict):
        message = "must be an object"
        raise ValueError(message)  # noqa: TRY004  a rule of the file broken, not a programmer's slip
    broken = "; ".join(_broken_rules(member))
    if broken:
        raise ValueError(broken)
    if member["kty"] == "EC":
        numbers = EllipticCurvePublicNumbers(
            int.from_bytes(_coordinate(member, "x")), int.from_bytes(_coordinate(member, "y")), SECP256R1()
        )
        try:
            return TokenKey(kid=member["kid"], algorithm="ES256", public_key=numbers.public_key())
        except ValueError as error:
            message = "x and y must be a point on P-256"
            raise ValueError(message) from error
    public_key = Ed25519PublicKey.from_public_bytes(_coordinate(member, "x"))
    return TokenKey(kid=member["kid"], algorithm="EdDSA", public_key=public_key)


def _broken_rules(member: Mapping[str, Any]) -> Iterator[str]:
    if not _PRIVATE_MEMBERS.isdisjoint(member):
        yield "holds private key members: publish the public part only, and replace this key, it has been shown around"
    kid = member.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID_LENGTH or not kid.isascii() or not kid.isprintable():
        yield f"kid must be 1 to {MAX_KID_LENGTH} printable ASCII characters"
    algorithm = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}.get(
        (str(member.get("kty")), str(member.get("crv")))
    )
    if algorithm is None:
        yield "must be EC on P-256 (ES256) or OKP with Ed25519 (EdDSA)"
    elif member.get("alg", algorithm) != algorithm:
        yield f"alg must be {algorithm} or absent"
    if member.get("use", "sig") != "sig":
        yield "use must be sig or absent"
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        yield "key_ops must include verify or be absent"


def _coordinate(member: Mapping[str, Any], name: str) -> bytes:
    """Return 32 bytes from their one base64url spelling without padding (RFC 7518 section 6.2.1.2)."""
    text = member.get(name)
    try:
        content = base64.b64decode(f"{text}=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        content = b""
    if len(content) != _COORDINATE_BYTES or base64.urlsafe_b64encode(content).decode() != f"{text}=":
        message = f"{name} must be {_COORDINATE_BYTES} bytes in base64url without padding"
        raise ValueError(message)
    return content


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "a member name is used twice"
        raise ValueError(message)
    return members


def _fault(path: Path, key: str, rule: str) -> ConfigFault:
    return ConfigFault(file=path, key=key, rule=rule)
