"""Comparing what a vault has signed for with what it says now: it may have forgotten, or changed its story."""

from __future__ import annotations

from strongroom_client.flows.reading import ask_heads
from strongroom_client.receipts.format import KeptLine
from strongroom_client.session import Session
from strongroom_client.steps import Flow
from strongroom_client.verification.kept_receipts import Finding, compare_with_history
from strongroom_client.verification.positions import GENESIS, Position


def compare_receipts(session: Session, lines: tuple[KeptLine, ...]) -> Flow[tuple[Finding, ...]]:
    """Return what of `lines` the vault's history has not, or has otherwise. Works where the vault went back, too."""
    events = yield from ask_heads(session)
    heads = {event.version: event.chain_head for event in events}
    newest = Position(events[0].version, events[0].chain_head) if events else GENESIS
    return compare_with_history(lines, heads=heads, newest=newest)
