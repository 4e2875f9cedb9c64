"""Who is signed in: sessions in memory, found by the hash of a random cookie, so that a dump signs nobody in."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LIFETIME_SECONDS: Final = 8 * 3_600
RESET_SECONDS: Final = 300
"""How long after a sign-in that asked for it the page gets tokens that may reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in. `may_reset_until`: until when it may have tokens that allow a reset."""

    name: str
    account: str
    ends_at: float
    may_reset_until: float


@dataclass(slots=True)
class Sessions:
    """All of them. They end with the process: a product keeps them where its others are."""

    clock: Callable[[], float] = time.monotonic
    _by_hash: dict[bytes, Session] = field(default_factory=dict, repr=False)

    def begin(self, *, name: str, account: str, to_reset: bool = False) -> str:
        """Return the cookie of a new session: never one that the browser brought."""
        cookie = secrets.token_urlsafe(32)
        now = self.clock()
        self._by_hash = {key: session for key, session in self._by_hash.items() if session.ends_at > now}
        self._by_hash[_hash(cookie)] = Session(
            name=name,
            account=account,
            ends_at=now + LIFETIME_SECONDS,
            may_reset_until=now + RESET_SECONDS if to_reset else now,
        )
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie while it lasts."""
        session = self._by_hash.get(_hash(cookie))
        return session if session is not None and session.ends_at > self.clock() else None

    def may_reset(self, session: Session) -> bool:
        """Tell whether this session was begun for a reset, a moment ago."""
        return self.clock() < session.may_reset_until

    def end(self, cookie: str) -> None:
        """Forget a session."""
        self._by_hash.pop(_hash(cookie), None)


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="replace")).digest()
