"""One life of an account by the rules of the design (attempts and limits), written down a second time.

Numbers, names and sets only; calls nothing of the service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

DAY_MS = 86_400_000
CLOSED_MS = 7 * DAY_MS
FIRST_RUNG = 4
STORING = {"store", "store_held", "add", "remove", "set_recovery"}


class Limits(NamedTuple):
    """The limits of a life."""

    locks: bool
    budget: int
    ladder_s: tuple[int, ...]
    quota: int
    grace_ms: int


class Asked(NamedTuple):
    """An operation, and whom or what it names: a passkey, a recovery credential or limits."""

    operation: str
    of: str = ""
    opened: int = 0
    limits: Limits | None = None


@dataclass
class LifeModel:
    """What must be true of one life."""

    limits: Limits
    state: str = "none"
    failures: int = 0
    closed_until: int = 0
    quota_day: int = 0
    quota_used: int = 0
    confirmed: int = 0
    unconfirmed: int = 0
    passkeys: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)
    recovery: str = ""
    held: bool = False

    @property
    def is_closed(self) -> bool:
        return self.failures >= self.limits.budget

    def why_waiting(self, now: int) -> str:
        if now >= self.closed_until:
            return ""
        return "VAULT_CLOSED" if self.is_closed else "COOLING_DOWN"

    def fail(self, now: int) -> tuple[int, bool]:
        """Count a failure; return by how much it is waited longer, and whether the budget is used up."""
        if self.is_closed and now < self.closed_until:
            return 0, True
        self.failures = min(self.failures + 1, self.limits.budget)
        exhausted = self.failures == self.limits.budget
        wait_ms = 0
        if exhausted:
            wait_ms = CLOSED_MS if self.limits.locks else 0
        elif self.failures >= FIRST_RUNG:
            wait_ms = 1_000 * self.limits.ladder_s[min(self.failures - FIRST_RUNG, len(self.limits.ladder_s) - 1)]
        waited_until, self.closed_until = max(now, self.closed_until), now + wait_ms if wait_ms else 0
        return max(0, self.closed_until - waited_until), exhausted

    def bury(self, state: str) -> None:
        self.state, self.confirmed, self.unconfirmed, self.recovery = state, 0, 0, ""
        self.passkeys, self.quarantined = set(), set()

    def why_unfit(self, asked: Asked, now: int) -> str:
        """Why this does not fit what the life holds; empty if it does."""
        used_up = now // DAY_MS <= self.quota_day and self.quota_used >= self.limits.quota
        unfit = {
            "add": asked.of in self.passkeys,
            "remove": asked.of not in self.passkeys,
            "set_recovery": asked.of == self.recovery,
            "lift": asked.of not in self.quarantined,
            "store_held": self.state == "inert",
        }
        if asked.operation == "release" and used_up:
            return "RELEASE_QUOTA"
        return "INVALID_FIELD" if unfit.get(asked.operation, False) else ""

    def _store(self, operation: str, version: int) -> None:
        """In another mode nothing of before stays."""
        moves = operation in {"store", "store_held"} and self.held != (operation == "store_held")
        self.held = self.held != moves
        self.confirmed = 0 if moves else self.confirmed
        self.state, self.unconfirmed = "live", version

    def succeed(self, asked: Asked, *, now: int, version: int) -> None:
        """Do what was granted, as far as it is this life's affair."""
        self.failures, self.closed_until = 0, 0
        if self.unconfirmed and asked.opened == self.unconfirmed:
            self.confirmed, self.unconfirmed = self.unconfirmed, 0
        if asked.operation in STORING:
            self._store(asked.operation, version)
        match asked.operation:
            case "release":
                day = now // DAY_MS
                self.quota_used = 1 if day > self.quota_day else self.quota_used + 1
                self.quota_day = max(day, self.quota_day)
            case "add":
                self.passkeys.add(asked.of)
            case "remove":
                self.confirmed = 0
                self.passkeys.discard(asked.of)
                self.quarantined.discard(asked.of)
            case "set_recovery":
                self.recovery = asked.of
            case "lift":
                self.quarantined.discard(asked.of)
            case "set_policy":
                self.limits = asked.limits or self.limits
            case "delete":
                self.bury("deleted")
            case _:
                pass  # a store has stored; a reopened vault was settled
