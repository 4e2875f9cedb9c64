"""One account by the rules of the design (attempts and limits), written down a second time.

Numbers, names and sets only; calls nothing of the service.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fakes.life_model import DAY_MS, Asked, LifeModel, Limits

ERASURE_MS = 30 * DAY_MS
ORDER_MS = 120_000
MOST_ANSWERED = 8
LIVES_MS = {"register": 300_000}
HOLDING = {"inert", "live"}
RECOVERABLE = {"release", "add", "reopen_closed", "reopen_aside"}


class Begun(NamedTuple):
    """A ceremony as the model knows it."""

    serial: int
    asked: Asked
    version: int
    ends_at: int


class Answer(NamedTuple):
    """What may be answered again: until when, and who signed for it (nobody for an order)."""

    ends_at: int
    by: str


@dataclass
class RecordModel:
    """What must be true of one account. `answered`: ceremonies and orders that may be answered again."""

    now: int
    tenants_limits: Limits
    life: LifeModel
    version: int = 0
    aside: LifeModel | None = None
    aside_until: int = 0
    erase_at: int = 0
    answered: dict[object, Answer] = field(default_factory=dict)

    def begin(self, serial: int, asked: Asked) -> Begun:
        """A ceremony of this moment."""
        return Begun(serial, asked, self.version, self.now + LIVES_MS.get(asked.operation, 120_000))

    def is_quarantined(self, asked: Asked, by: str) -> bool:
        """Whether the passkey has lost its say in the life that this is about."""
        life = _life_about(self._seen(), asked)
        return life is not None and by in life.quarantined

    def why_not(self, asked: Asked) -> str:
        """Why this cannot be asked for now; empty if it can."""
        seen, operation = self._seen(), asked.operation
        if operation == "register":
            return "VAULT_EXISTS" if seen.life.state == "live" else ""
        if operation == "reopen_aside":
            if seen.aside is None:
                return "NO_VAULT"
            # What is closed may be reopened by the recovery credential at any time; who signs is not known yet.
            return "" if seen.aside.is_closed else seen.aside.why_waiting(self.now)
        if seen.life.state not in HOLDING:
            return "VAULT_EXHAUSTED" if seen.life.state == "exhausted" else "NO_VAULT"
        if operation == "reopen_closed":
            return "" if seen.life.is_closed else "INVALID_FIELD"
        inert = "NO_VAULT" if seen.life.state == "inert" and operation not in {"store", "store_held", "delete"} else ""
        return seen.life.why_waiting(self.now) or inert or seen.life.why_unfit(asked, self.now)

    def why_dead(self, begun: Begun) -> str:
        """Why this ceremony cannot be judged now; empty if it can."""
        if self.now >= begun.ends_at:
            return "CEREMONY_EXPIRED"
        return "BEGIN_AGAIN" if begun.version != self.version else self.why_not(begun.asked)

    def complete(self, begun: Begun, how: str, by: str) -> str:
        """Take one completion; say how it ended."""
        asked, seen = begun.asked, self._seen()
        if self._is_answered(seen, begun.serial):
            return "again"
        if why := self.why_dead(begun) or self._why_not_by(seen, asked, by):
            return why
        self._become(seen)
        self._move()
        if asked.operation == "register":
            self._register(by)
            self.answered = {begun.serial: Answer(begun.ends_at, by)}
            return "granted"
        life = _life_about(self, asked)
        if life is None:
            raise LookupError(asked)
        if how == "wrong":
            return self._fail(life)
        if how == "right":
            self._succeed(life, asked)
            self._answer(begun.serial, begun.ends_at, by)
            return "granted"
        if how == "regression":
            life.quarantined.add(by)
            if life is self.life:
                self._forget(by)
        return "refused"

    def order(self, operation: str, nonce: int) -> str:
        """Take a reset, or an erasure asked for or taken back."""
        seen, key = self._seen(), (operation, nonce)
        if self._is_answered(seen, key):
            return "again"
        if why := _why_not_ordered(seen, operation):
            return why
        self._become(seen)
        self._move()
        if operation == "reset":
            self.aside = copy.deepcopy(self.life)
            self.aside_until = max(self.now, self.aside.closed_until) + self.aside.limits.grace_ms
            self.life = LifeModel(self.life.limits, state="empty")
            self.answered = {}
        else:
            self.erase_at = self.now + ERASURE_MS if operation == "erase" else 0
        self._answer(key, self.now + ORDER_MS, "")
        return "granted"

    def sweep(self) -> bool:
        """Make durable what is due; whether anything was."""
        seen = self._seen()
        if (seen.aside is None, seen.erase_at) == (self.aside is None, self.erase_at):
            return False
        self._become(seen)
        self._move()
        return True

    def _seen(self) -> RecordModel:
        """As everybody sees it: what is due to be erased is gone."""
        seen = copy.copy(self)
        seen.life, seen.aside = copy.deepcopy(self.life), copy.deepcopy(self.aside)
        if self.erase_at and self.now >= self.erase_at:
            seen.aside, seen.erase_at, seen.answered = None, 0, {}
            seen.life.bury("erased")
        elif self.aside is not None and self.now >= self.aside_until:
            seen.aside = None
        return seen

    def _become(self, seen: RecordModel) -> None:
        self.life, self.aside, self.erase_at, self.answered = seen.life, seen.aside, seen.erase_at, seen.answered

    def _move(self) -> None:
        self.version += 1
        self.answered = {key: each for key, each in self.answered.items() if self.now < each.ends_at}

    def _answer(self, key: object, ends_at: int, by: str) -> None:
        self.answered = dict([*self.answered.items(), (key, Answer(ends_at, by))][-MOST_ANSWERED:])

    def _forget(self, by: str) -> None:
        self.answered = {key: each for key, each in self.answered.items() if each.by != by}

    def _is_answered(self, seen: RecordModel, key: object) -> bool:
        return key in seen.answered and self.now < seen.answered[key].ends_at

    def _why_not_by(self, seen: RecordModel, asked: Asked, by: str) -> str:
        subject = _life_about(seen, asked)
        if asked.operation == "register" or subject is None:
            return ""
        if subject.state == "live" and by == subject.recovery:
            return "" if asked.operation in RECOVERABLE else "NOT_VERIFIED"
        waiting = subject.why_waiting(self.now) if asked.operation.startswith("reopen") else ""
        return waiting or ("" if by in subject.passkeys else "NOT_VERIFIED")

    def _register(self, by: str) -> None:
        self.life = LifeModel(self.tenants_limits, state="inert", passkeys={by}, recovery="R")

    def _fail(self, life: LifeModel) -> str:
        wait_ms, exhausted = life.fail(self.now)
        destroyed = exhausted and not life.limits.locks
        if life is self.aside:
            self.aside_until += wait_ms
            self.aside = None if destroyed else life
        elif exhausted:
            self.answered = {}
            if destroyed:
                life.bury("exhausted")
        return "exhausted" if exhausted else "failed"

    def _succeed(self, life: LifeModel, asked: Asked) -> None:
        if life is self.aside:
            life.failures, life.closed_until = 0, 0
            self.life, self.aside, self.answered = life, None, {}
            return
        gone = {"remove": asked.of, "set_recovery": life.recovery}.get(asked.operation, "")
        if gone:
            self._forget(gone)
        if asked.operation == "delete":
            self.answered = {}
        life.succeed(asked, now=self.now, version=self.version)


def _life_about(model: RecordModel, asked: Asked) -> LifeModel | None:
    return model.aside if asked.operation == "reopen_aside" else model.life


def _why_not_ordered(seen: RecordModel, operation: str) -> str:
    if operation == "cancel":
        return "" if seen.erase_at else "NO_ERASURE_PENDING"
    if operation == "erase":
        held = seen.life.state in HOLDING or seen.aside is not None
        return ("ERASURE_PENDING" if seen.erase_at else "") if held else "NO_VAULT"
    if seen.aside is not None:
        return "RESET_PENDING"
    if seen.life.state == "exhausted":
        return "VAULT_EXHAUSTED"
    return "" if seen.life.state == "live" else "NO_VAULT"
