"""Client data (section 5.8.1), read strictly: what the browser or platform says it asked the authenticator for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import NoReturn

from strongroom_service.domain.credentials import AssertionPolicy
from strongroom_service.keeper.webauthn.refusals import not_verified, refusing_malformed, require_size

_MAX_BYTES = 4096


@unique
class CeremonyType(Enum):
    """The `type` of client data; tells the two ceremonies apart under the same signature key."""

    CREATE = "webauthn.create"
    GET = "webauthn.get"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """Parsed client data, not yet compared with anything.

    Attributes:
        type: as sent.
        challenge: the base64url text as sent; never decoded, since decoders take several texts for the same bytes.
        origin: as sent.
        framed: the page was in a cross-origin frame, or names a top origin.
        hash: SHA-256 of the exact bytes.
    """

    type: str
    challenge: str
    origin: str
    framed: bool
    hash: bytes

    def is_for(self, ceremony_type: CeremonyType, challenge: bytes) -> bool:
        """Whether this is what the browser collects for exactly that ceremony and challenge."""
        return self.type == ceremony_type.value and self.challenge == challenge_text(challenge)

    def is_from(self, policy: AssertionPolicy) -> bool:
        """Whether the origin is, character for character, one of the tenant's."""
        return self.origin in policy.origins


def challenge_text(challenge: bytes) -> str:
    """Return the base64url text without padding that a client writes for `challenge`."""
    return base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii")


def parse_client_data(encoded: bytes) -> ClientData:
    """Parse clientDataJSON: strict UTF-8 without BOM, strict JSON, no key twice, members of their exact types.

    Unknown members are tolerated, as section 5.8.1 asks.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    require_size("client data", encoded, minimum=2, maximum=_MAX_BYTES)
    with refusing_malformed("client data"):
        document = json.loads(
            encoded.decode("utf-8", errors="strict"),
            object_pairs_hook=_refuse_duplicates,
            parse_constant=_refuse_constant,
        )
    if type(document) is not dict:
        raise not_verified("client data: not an object")
    return ClientData(
        type=_text(document, "type"),
        challenge=_text(document, "challenge"),
        origin=_text(document, "origin"),
        framed=_is_framed(document),
        hash=hashlib.sha256(encoded).digest(),
    )


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a repeated key: a second `origin` would be read by one parser and overlooked by another."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise not_verified("client data: a key appears twice")
    return members


def _refuse_constant(_: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise not_verified("client data: not JSON")


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if type(value) is not str:
        raise not_verified(f"client data: {name} is not a string")
    return value


def _is_framed(document: Mapping[str, object]) -> bool:
    """Read `crossOrigin` and `topOrigin`; absent or false and absent is the only answer that means "not framed".

    The exact type matters: the text "false" would be true to whoever asks for truth only.
    """
    cross_origin = document.get("crossOrigin", False)
    if type(cross_origin) is not bool:
        raise not_verified("client data: crossOrigin is not a boolean")
    if "topOrigin" not in document:
        return cross_origin
    _text(document, "topOrigin")
    return True
