"""What waits to be erased: shown with every ceremony and record, so that the owner can act in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom_client.clock import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits to be erased, and when: a life that a reset has set aside, and the whole account."""

    set_aside_erase_at: Millis | None = None
    account_erase_at: Millis | None = None


NOTHING_PENDING: Final = Pending()
