"""The three parts of a signed token (RFC 7515 section 3.1), read strictly, before any signature is checked.

Each part has one spelling, and each JSON member one value: two parsers that disagree on what a token says are how
checks are walked around.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from strongroom_service.domain.errors import Reason, Refusal

MAX_TOKEN_BYTES = 4_096
_PART = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactToken:
    """Header and claims as the sender wrote them: nothing of this is verified yet."""

    header: dict[str, Any] = field(repr=False)
    claims: dict[str, Any] = field(repr=False)


def rejected(detail: str) -> Refusal:
    """Return the one refusal for every token; `detail` is for the log and never repeats the token."""
    return Refusal(Reason.TOKEN_REJECTED, detail=detail)


def parse_compact(token: str) -> CompactToken:
    """Read `token`, at most 4 KiB, as header.claims.signature.

    Raises:
        Refusal: TOKEN_REJECTED.
    """
    if not token.isascii() or len(token) > MAX_TOKEN_BYTES:
        raise rejected(f"must be ASCII of at most {MAX_TOKEN_BYTES} bytes")
    parts = token.split(".")
    match parts:
        case [header, claims, signature]:
            _decode(signature, part="signature")
            return CompactToken(header=_object(header, part="header"), claims=_object(claims, part="claims"))
        case _:
            raise rejected("must have three parts")


def _decode(text: str, *, part: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    if not _PART.fullmatch(text) or len(text) % 4 == 1:
        raise rejected(f"{part} must be base64url without padding")
    content = base64.urlsafe_b64decode(padded)
    if base64.urlsafe_b64encode(content).decode() != padded:
        raise rejected(f"{part} must be base64url in its one spelling")
    return content


def _object(text: str, *, part: str) -> dict[str, Any]:
    content = _decode(text, part=part)
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_no_number)
    except (ValueError, RecursionError):
        # Without its cause: a JSON error carries the document.
        raise rejected(f"{part} must be JSON in UTF-8 with unique member names") from None
    if not isinstance(document, dict):
        raise rejected(f"{part} must be a JSON object")
    return document


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "a member name is used twice"
        raise ValueError(message)
    return members


def _no_number(_: str) -> NoReturn:
    message = "NaN and Infinity are not JSON"
    raise ValueError(message)
