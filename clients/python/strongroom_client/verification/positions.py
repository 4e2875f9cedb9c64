"""Where a record's history is: its version, and the chain head at it. A history may only go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom_client.errors import VaultWentBack

HEAD_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Position:
    """Version and chain head (32 bytes)."""

    version: int
    chain_head: bytes


GENESIS: Final = Position(0, bytes(HEAD_BYTES))
"""Where there never was a record."""


def check_goes_on(shown: Position, *, known: Position) -> None:
    """Refuse a history that lost a version, or has another one in the place of one that is known.

    Raises:
        VaultWentBack: `shown` is older than `known`, or differs at the same version.
    """
    if shown.version > known.version or shown == known:
        return
    raise VaultWentBack(
        known_version=known.version,
        known_chain_head=known.chain_head,
        shown_version=shown.version,
        shown_chain_head=shown.chain_head,
    )
