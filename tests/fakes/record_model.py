"""One account by the rules of the design (attempts and limits), written down a second time.

Numbers and sets only; calls nothing of the service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

DAY_MS = 86_400_000
FIRST_RUNG = 4
MOST_ANSWERED = 8
LIVES_MS = {"register": 300_000, "store": 120_000, "release": 120_000, "delete": 120_000}


class Begun(NamedTuple):
    """A ceremony as the model knows it."""

    serial: int
    operation: str
    opened: int
    version: int
    ends_at: int


@dataclass
class RecordModel:
    """What must be true of one account. `answered`: ceremonies that may be answered again, and until when."""

    now: int
    budget: int
    ladder_s: tuple[int, ...]
    quota: int
    state: str = "none"
    version: int = 0
    failures: int = 0
    closed_until: int = 0
    quota_day: int = 0
    quota_used: int = 0
    confirmed: int = 0
    unconfirmed: int = 0
    answered: dict[int, int] = field(default_factory=dict)

    def begin(self, serial: int, operation: str, *, opened: int) -> Begun:
        """A ceremony of this moment."""
        return Begun(serial, operation, opened, self.version, self.now + LIVES_MS[operation])

    def why_not(self, operation: str) -> str:
        """Why this operation cannot be asked for now; empty if it can."""
        if operation == "register":
            return "VAULT_EXISTS" if self.state == "live" else ""
        used_up = self.now // DAY_MS <= self.quota_day and self.quota_used >= self.quota
        reasons = {
            "NO_VAULT": self.state in {"none", "deleted"},
            "VAULT_EXHAUSTED": self.state == "exhausted",
            "COOLING_DOWN": self.now < self.closed_until,
            "NO_VAULT ": operation == "release" and not (self.confirmed or self.unconfirmed),
            "RELEASE_QUOTA": operation == "release" and used_up,
        }
        return next((reason.strip() for reason, holds in reasons.items() if holds), "")

    def why_dead(self, begun: Begun) -> str:
        """Why this ceremony cannot be judged now; empty if it can."""
        if self.now >= begun.ends_at:
            return "CEREMONY_EXPIRED"
        return "BEGIN_AGAIN" if begun.version != self.version else self.why_not(begun.operation)

    def complete(self, begun: Begun, how: str) -> str:
        """Take one completion; say how it ended."""
        if self.now < self.answered.get(begun.serial, 0):
            return "again"
        if why := self.why_dead(begun):
            return why
        self.version += 1
        self.answered = {serial: end for serial, end in self.answered.items() if self.now < end}
        if begun.operation == "register":
            self._register(begun)
            return "granted"
        if how == "wrong":
            return self._fail()
        if how == "right":
            self._succeed(begun)
            return "granted"
        if how == "regression":
            self.answered = {}  # all of them are by the one passkey
        return "refused"

    def _register(self, begun: Begun) -> None:
        self.state, self.failures, self.closed_until = "inert", 0, 0
        self.quota_day, self.quota_used, self.confirmed, self.unconfirmed = 0, 0, 0, 0
        self.answered = {begun.serial: begun.ends_at}

    def _fail(self) -> str:
        self.failures += 1
        if self.failures == self.budget:
            self._bury("exhausted")
            return "exhausted"
        if self.failures >= FIRST_RUNG:
            rung = min(self.failures - FIRST_RUNG, len(self.ladder_s) - 1)
            self.closed_until = self.now + 1_000 * self.ladder_s[rung]
        return "failed"

    def _succeed(self, begun: Begun) -> None:
        self.failures, self.closed_until = 0, 0
        if self.unconfirmed and begun.opened == self.unconfirmed:
            self.confirmed, self.unconfirmed = self.unconfirmed, 0
        if begun.operation == "store":
            self.state, self.unconfirmed = "live", self.version
        elif begun.operation == "release":
            day = self.now // DAY_MS
            self.quota_used = 1 if day > self.quota_day else self.quota_used + 1
            self.quota_day = max(day, self.quota_day)
        else:
            self._bury("deleted")
        self.answered = dict([*self.answered.items(), (begun.serial, begun.ends_at)][-MOST_ANSWERED:])

    def _bury(self, state: str) -> None:
        self.state, self.confirmed, self.unconfirmed, self.answered = state, 0, 0, {}
