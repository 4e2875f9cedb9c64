"""Signed descriptions over a nonce of the caller's: of the service, of a record, and of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom_service.application.present_record import load_and_present

if TYPE_CHECKING:
    from strongroom_service.application.keepers import Caller, Keeper, SignedReply
    from strongroom_service.application.rows import EventRow, RecordRow
    from strongroom_service.application.stores import RecordStore

MAX_EVENTS: Final = 32
MAX_EVENTS_BYTES: Final = 128 * 1024

# The keeper makes and checks page tokens. That one begins with the u64 version of the page's first event, and how long
# it is, is all that must be known to load what it wants to see.
_PAGE_TOKEN_BYTES: Final = 8 + 32 + 32
_VERSION_BYTES: Final = 8


async def describe_service(caller: Caller, *, nonce: bytes, keeper: Keeper) -> SignedReply:
    """Return the signed ServiceInfoReply of the caller's tenant. Raises as `describe_record`."""
    return await keeper.describe_service(caller, nonce=nonce)


async def describe_record(
    caller: Caller, *, record_id: bytes, nonce: bytes, keeper: Keeper, store: RecordStore
) -> SignedReply:
    """Return the signed VaultReply of the caller's record.

    Raises:
        Refusal: policy said no.
        Fault: machinery broke.
    """
    _, reply = await load_and_present(
        store, record_id, lambda row: keeper.describe_record(caller, nonce=nonce, row=row)
    )
    return reply


async def list_events(
    caller: Caller, *, record_id: bytes, nonce: bytes, page_token: bytes, keeper: Keeper, store: RecordStore
) -> SignedReply:
    """Return a signed page of the caller's history, newest first. Raises as `describe_record`."""

    async def ask(row: RecordRow | None) -> SignedReply:
        events, oldest = await _load_page(store, record_id, _first_version(page_token, row))
        return await keeper.list_events(
            caller, nonce=nonce, page_token=page_token, row=row, events=events, oldest=oldest
        )

    _, reply = await load_and_present(store, record_id, ask)
    return reply


def _first_version(page_token: bytes, row: RecordRow | None) -> int:
    """The newest version that the page shows; 0 for none, as for a token that the keeper will refuse."""
    if not page_token:
        return 0 if row is None else row.version
    if len(page_token) != _PAGE_TOKEN_BYTES:
        return 0
    return int.from_bytes(page_token[:_VERSION_BYTES], "big")


async def _load_page(store: RecordStore, record_id: bytes, first_version: int) -> tuple[tuple[EventRow, ...], bool]:
    """Return the events of a page, and whether the store has none before them."""
    if first_version == 0:
        return (), True
    # From the row's version down, not from the newest: an event committed since we loaded the row is not in its chain.
    rows = await store.load_events(record_id, before_version=first_version + 1, limit=MAX_EVENTS + 1)
    size = 0
    for count, row in enumerate(rows):
        size += len(row.sealed)
        # The first always goes, or the history could not be paged past it.
        if count and (count == MAX_EVENTS or size > MAX_EVENTS_BYTES):
            return rows[:count], False
    return rows, True
