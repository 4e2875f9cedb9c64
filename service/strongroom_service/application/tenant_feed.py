"""A tenant's feed: pages out of the sequence of all commits, of which the keeper picks the tenant's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from strongroom_service.application.keepers import Keeper, SignedReply, TenantCaller
    from strongroom_service.application.rows import FeedRow
    from strongroom_service.application.stores import FeedStore

# Each costs the keeper a token operation, and a page must not keep releases waiting.
MAX_ROWS: Final = 64
MAX_ROWS_BYTES: Final = 128 * 1024

# The keeper makes and checks cursors. That one begins with the u64 position, and how long it is, is all that must be
# known.
_CURSOR_BYTES: Final = 8 + 32
_POSITION_BYTES: Final = 8


async def list_tenant_events(
    caller: TenantCaller, *, nonce: bytes, cursor: bytes, keeper: Keeper, store: FeedStore
) -> SignedReply:
    """Return a signed page of the tenant's feed.

    Raises:
        Refusal: policy said no.
        Fault: machinery broke.
    """
    loaded = await store.load_feed(after_position=_position_of(cursor), limit=MAX_ROWS + 1)
    events = _fitting(loaded)
    return await keeper.list_tenant_events(
        caller, nonce=nonce, cursor=cursor, events=events, more=len(events) < len(loaded)
    )


def _position_of(cursor: bytes) -> int:
    """Return where the page begins; for a cursor that the keeper will refuse, anywhere."""
    return int.from_bytes(cursor[:_POSITION_BYTES], "big") if len(cursor) == _CURSOR_BYTES else 0


def _fitting(rows: tuple[FeedRow, ...]) -> tuple[FeedRow, ...]:
    size = 0
    for count, row in enumerate(rows[:MAX_ROWS]):
        size += len(row.sealed)
        if count and size > MAX_ROWS_BYTES:  # the first always goes, or the feed could not be read past it
            return rows[:count]
    return rows[:MAX_ROWS]
