"""Small JSON documents under one signature: the proof of a second token, and the transcript of a key ceremony.

    {"body": {...}, "signer": SubjectPublicKeyInfo as hex, "signature": hex}
    digest = SHA-256 of fields(label of the document's kind, body as canonical JSON)

Canonical: members sorted, no white space, ASCII. The signer is the vault's identity key or an owner's key; whether it
is the right one is for the reader to ask.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strongroom_service.config.owner_keys import WrongSignature, check_digest, parse_public_key
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_DOCUMENT_BYTES = 1_048_576
_MEMBERS = {"body", "signer", "signature"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document whose signature was right, and the public key (SubjectPublicKeyInfo, DER) that made it."""

    body: Mapping[str, Any]
    signer: bytes


def document_digest(label: str, body: Mapping[str, Any]) -> bytes:
    """Return the digest (32 bytes) that a document's signature is over."""
    return hash_fields(label, canonical_json(body))


def canonical_json(body: Mapping[str, Any]) -> bytes:
    """Return the one encoding of `body`."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sign_document(label: str, body: Mapping[str, Any], *, signer: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the document's file: `sign` gives the signature of a digest by the key `signer` (DER)."""
    signature = sign(document_digest(label, body))
    document = {"body": body, "signer": signer.hex(), "signature": signature.hex()}
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


def read_document(path: Path, label: str) -> SignedDocument:
    """Read a document and check its signature.

    Raises:
        Misconfigured: it cannot be read, is none, or its signature is wrong; says which file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Misconfigured(f"{path} must be at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = json.loads(content, object_pairs_hook=_unique_members)
        if set(document) != _MEMBERS or not isinstance(document["body"], dict):
            raise ValueError
        body, signer = document["body"], bytes.fromhex(document["signer"])
        digest = document_digest(label, body)
        signature = bytes.fromhex(document["signature"])
    except (ValueError, TypeError, RecursionError):
        raise Misconfigured(f"{path} is not a signed document of Strongroom") from None
    try:
        check_digest(parse_public_key(signer), digest, signature)
    except (WrongSignature, Misconfigured):
        raise Misconfigured(f"{path}: the signature is wrong") from None
    return SignedDocument(body=body, signer=signer)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
