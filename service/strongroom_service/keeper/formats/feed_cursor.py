"""Where a tenant's feed goes on: a position in the sequence of all commits, authenticated.

cursor = position (u64) || HMAC-SHA256(ceremony key; fields("strongroom/v1/feed-cursor", tenant, position))

The position is in clear, as the front must load what follows it; it tells a tenant how many commits the vault has seen.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import InvalidField
from strongroom_service.domain.fields import encode_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = "strongroom/v1/feed-cursor"
_POSITION_BYTES = 8
_TAG_BYTES = 32
_CURSOR_BYTES = _POSITION_BYTES + _TAG_BYTES


def make_cursor(position: int, *, tenant: str, key: bytes) -> bytes:
    """Return the cursor after `position`."""
    return position.to_bytes(_POSITION_BYTES, "big") + _tag(position, tenant=tenant, key=key)


def read_cursor(cursor: bytes, *, tenant: str, keys: Mapping[int, bytes]) -> int:
    """Return the position after which the page begins.

    Raises:
        InvalidField: the cursor is not one that a keeper of this vault made for this tenant.
    """
    if len(cursor) == _CURSOR_BYTES:
        position, tag = int.from_bytes(cursor[:_POSITION_BYTES], "big"), cursor[_POSITION_BYTES:]
        if any(hmac.compare_digest(_tag(position, tenant=tenant, key=key), tag) for key in keys.values()):
            return position
    raise InvalidField(field="cursor", rule="must be the next_cursor of an earlier page of this tenant")


def _tag(position: int, *, tenant: str, key: bytes) -> bytes:
    return hmac.digest(key, encode_fields(_LABEL, tenant.encode(), position), "sha256")
