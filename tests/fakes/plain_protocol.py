"""The protocol's bytes, computed a second time from its description with hashlib and struct only.

Calls nothing of the service, so that a test that compares both compares two readings of docs/protocol.md.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence


def fields(label: str, *parts: bytes | int) -> bytes:
    encoded = [part if isinstance(part, bytes) else struct.pack(">Q", part) for part in parts]
    return b"".join(struct.pack(">I", len(part)) + part for part in (label.encode(), *encoded))


def digest(label: str, *parts: bytes | int) -> bytes:
    return hashlib.sha256(fields(label, *parts)).digest()


def tag(key: bytes, label: str, *parts: bytes | int) -> bytes:
    return hmac.new(key, fields(label, *parts), hashlib.sha256).digest()


def derive(secret: bytes, label: str, context: bytes) -> bytes:
    """SP 800-108r1 section 4.1, one block: HMAC(secret, [1] || label || 0x00 || context || [256])."""
    block = struct.pack(">I", 1) + label.encode() + b"\0" + context + struct.pack(">I", 256)
    return hmac.new(secret, block, hashlib.sha256).digest()


def record_id(*, id_key: bytes, tenant: str, account: str) -> bytes:
    return tag(id_key, "strongroom/v1/record-id", tenant.encode(), account.encode())


def owner_fingerprint(*, public_key: bytes) -> bytes:
    return digest("strongroom/v1/owner-key", public_key)


def owners_digest(*, bundle: bytes, previous: bytes) -> bytes:
    return digest(
        "strongroom/v1/key-bundle-owners", bundle, hashlib.sha256(previous).digest() if previous else bytes(32)
    )


def credential_set(*, credentials: Sequence[tuple[bytes, bytes]], recovery_public_key: bytes) -> bytes:
    pairs = [part for pair in sorted(credentials) for part in pair]
    return digest("strongroom/v1/credential-set", *pairs, recovery_public_key)


def statement(
    *,
    request: bytes,
    tenant: str,
    account: str,
    version: int,
    chain_head: bytes,
    credential_set_sha256: bytes,
    mode: int,
    rp_id: str,
    origins: Sequence[str],
    seal_epoch: int,
    expires_at: int,
    keeper_random: bytes,
) -> bytes:
    """Protobuf by hand: fields in the order of their numbers, those with a zero left out."""
    expiry = _number(1, expires_at // 1_000) + _number(2, expires_at % 1_000 * 1_000_000)
    return b"".join(
        (
            _number(1, 1),
            _bytes(2, request),
            _bytes(3, tenant.encode()),
            _bytes(4, account.encode()),
            _number(5, version),
            _bytes(6, chain_head),
            _bytes(7, credential_set_sha256),
            _number(8, mode),
            _bytes(9, rp_id.encode()),
            *(_bytes(10, origin.encode()) for origin in origins),
            _number(11, seal_epoch),
            _bytes(12, expiry),
            _bytes(13, keeper_random),
        )
    )


def ceremony(*, statement: bytes, ceremony_key: bytes) -> bytes:
    return statement + tag(ceremony_key, "strongroom/v1/ceremony", statement)


def challenge(*, ceremony: bytes) -> bytes:
    return digest("strongroom/v1/challenge", ceremony)


def receipt(*, kind: str, challenge: bytes, reply: bytes, version: int, chain_head: bytes) -> bytes:
    label = f"strongroom/v1/receipt/{kind}"
    return digest(label, challenge, hashlib.sha256(reply).digest(), version, chain_head)


def page_token(*, key: bytes, record_id: bytes, version: int, chain_head: bytes) -> bytes:
    return struct.pack(">Q", version) + chain_head + tag(key, "strongroom/v1/page", record_id, version, chain_head)


def seal_aad(*, kind: str, epoch: int, salt: bytes, record_id: bytes, version: int) -> bytes:
    return fields(f"strongroom/v1/seal-{kind}", 1, epoch, salt, record_id, version)


def padded(plaintext: bytes) -> bytes:
    framed = struct.pack(">I", len(plaintext)) + plaintext
    return framed + bytes(-len(framed) % 1_024)


def hpke_info(*, direction: str, challenge: bytes) -> bytes:
    return fields("strongroom/v1/hpke", direction.encode(), 1, challenge)


def _varint(value: int) -> bytes:
    low = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return low + _varint(value >> 7) if value > 0x7F else low


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value if value else b""
