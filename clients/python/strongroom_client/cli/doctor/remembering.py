"""What a device remembers, for looking only: nothing that is learned is kept."""

from __future__ import annotations

from strongroom_client.memory import AccountMemory
from strongroom_client.receipts.format import Entry, KeptLine, KeptReceipt
from strongroom_client.verification.positions import Position


class Remembered:
    """A memory that was read before. Implements the `Memory` port."""

    def __init__(self, memory: AccountMemory) -> None:
        self._memory = memory

    def load(self) -> AccountMemory:
        """Return it."""
        return self._memory

    def receipts(self) -> tuple[KeptLine, ...]:
        """Return none: they are not looked at here."""
        return ()

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        """Keep nothing."""

    def keep_contested(self, *, known: Position, shown: Position, receipt: KeptReceipt) -> None:
        """Keep nothing: whatever uses the vault next will find the same."""

    def close(self) -> None:
        """Nothing is open."""
