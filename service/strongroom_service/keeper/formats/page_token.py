"""Where a page of history ends: (version, chain head), authenticated, so that the next page begins exactly there.

page token = version (u64) || chain head (32) || HMAC-SHA256(ceremony key; fields)
    fields     = "strongroom/v1/page", record id, version, chain head
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

from strongroom_service.domain.errors import InvalidField
from strongroom_service.domain.fields import encode_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = "strongroom/v1/page"
_VERSION_BYTES = 8
_HEAD_BYTES = 32
_TAG_BYTES = 32
_TOKEN_BYTES = _VERSION_BYTES + _HEAD_BYTES + _TAG_BYTES


class PageStart(NamedTuple):
    """The newest version of a page and the chain head at it."""

    version: int
    chain_head: bytes


def make_page_token(start: PageStart, *, record_id: bytes, key: bytes) -> bytes:
    """Return the token of the page that begins at `start`."""
    return start.version.to_bytes(_VERSION_BYTES, "big") + start.chain_head + _tag(start, record_id=record_id, key=key)


def read_page_token(token: bytes, *, record_id: bytes, keys: Mapping[int, bytes]) -> PageStart:
    """Return where the page begins.

    Raises:
        InvalidField: the token is not one that a keeper of this vault made for this record.
    """
    if len(token) == _TOKEN_BYTES:
        version = int.from_bytes(token[:_VERSION_BYTES], "big")
        start = PageStart(version=version, chain_head=token[_VERSION_BYTES : _VERSION_BYTES + _HEAD_BYTES])
        tag = token[-_TAG_BYTES:]
        if any(hmac.compare_digest(_tag(start, record_id=record_id, key=key), tag) for key in keys.values()):
            return start
    raise InvalidField(field="page_token", rule="must be the next_page_token of an earlier page of this account")


def _tag(start: PageStart, *, record_id: bytes, key: bytes) -> bytes:
    return hmac.new(key, encode_fields(_LABEL, record_id, start.version, start.chain_head), hashlib.sha256).digest()
