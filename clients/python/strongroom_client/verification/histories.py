"""Pages of history: newest first, without a gap from where the page must begin, through what the device remembers.

    page token = version (u64) || chain head (32) || 32-byte HMAC of the keeper's

says where the next page begins. The keeper has checked each page against the chain; the client checks that the pages
fit together, and that the history passes through the position that it remembers.
"""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.v1 import event_pb2
from strongroom_client.errors import ReplyMismatch
from strongroom_client.verification.positions import GENESIS, HEAD_BYTES, Position, check_goes_on

_VERSION_BYTES = 8
_TAG_BYTES = 32


def next_page_start(token: bytes) -> Position:
    """Return where the page of `token` begins; the genesis for the empty token at the end of the history.

    Raises:
        ReplyMismatch: it is no page token.
    """
    if not token:
        return GENESIS
    if len(token) != _VERSION_BYTES + HEAD_BYTES + _TAG_BYTES:
        raise ReplyMismatch("the history's page token is not one")
    return Position(int.from_bytes(token[:_VERSION_BYTES], "big"), token[_VERSION_BYTES : _VERSION_BYTES + HEAD_BYTES])


def page_end(token: bytes, *, first_version: int) -> Position:
    """Return the position before a page's oldest event.

    A history need not reach back to the genesis: the vault says in its signed reply which event is the first that it
    keeps. What its chain head is before that is not told, and nothing is compared with it.

    Raises:
        ReplyMismatch: the page token is none, or a page has both a next one and a first event.
    """
    if first_version == 0:
        return next_page_start(token)
    if token:
        raise ReplyMismatch("the history has both a first event and a further page")
    return Position(first_version - 1, GENESIS.chain_head)


def check_page(events: Sequence[event_pb2.Event], *, start: Position, end: Position, known: Position) -> None:
    """Check that a page goes from `start` down to just above `end`, and through `known` if that lies in it.

    Raises:
        ReplyMismatch: an event is missing, or one too many.
        VaultWentBack: at the version that this device remembers, the history is another.
    """
    # By what has come, never by what is announced: a list of 2^64 versions is not to be made.
    whole = len(events) == max(0, start.version - end.version)
    if not whole or any(event.version != start.version - place for place, event in enumerate(events)):
        raise ReplyMismatch(f"the history from version {start.version} to {end.version + 1} has a gap")
    if not events:
        return
    if events[0].chain_head != start.chain_head:
        raise ReplyMismatch(f"the history does not continue at version {start.version}")
    for event in events:
        if event.version == known.version:
            check_goes_on(Position(event.version, event.chain_head), known=known)
