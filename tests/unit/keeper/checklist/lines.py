"""What a line of the checklist is: a good ceremony, spoilt in one place, and the outcome that this place must have."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from typing import Final

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2
from tests.fakes.desk import Refused
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person

ROOT: Final = Path(__file__).parents[4]

Begin = Callable[[Person], Ceremony]
Spoil = Callable[[Person, Ceremony], frames_pb2.JudgeCall]


@unique
class Section(Enum):
    """The list that a line is of, and how many steps that has."""

    REGISTRATION = "7.1"
    ASSERTION = "7.2"
    VAULT = "vault"

    @property
    def steps(self) -> range:
        return range(1, {"7.1": 29, "7.2": 25, "vault": 14}[self.value] + 1)


@unique
class Kind(Enum):
    """What an outcome costs."""

    TAKEN = "taken"
    UNJUDGED = "refused, unjudged"
    COUNTED = "refused, counted"
    VIOLATION = "refused, evented, not counted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a completion: `reason` is the internal one, `told` what the caller learns."""

    kind: Kind
    reason: str = ""
    told: str = "NOT_VERIFIED"


TAKEN: Final = Outcome(Kind.TAKEN, told="")


def unjudged(reason: str, *, told: str = "NOT_VERIFIED") -> Outcome:
    return Outcome(Kind.UNJUDGED, reason, told)


def counted(detail: str) -> Outcome:
    return Outcome(Kind.COUNTED, f"wrong_signature: {detail}")


def violation(name: str) -> Outcome:
    return Outcome(Kind.VIOLATION, name)


@dataclass(frozen=True, slots=True)
class Line:
    """One tampering: `spoil` makes the call in place of the good one; `begin` begins what is spoilt."""

    section: Section
    step: int
    tampering: str
    spoil: Spoil
    outcome: Outcome
    begin: Begin = Person.begin_release

    @property
    def id(self) -> str:
        return f"{self.section.value} step {self.step} {self.tampering}"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A step that a test of its own stands for: `test` is path::name from the root of the repository."""

    section: Section
    step: int
    shows: str
    test: str

    def exists(self) -> bool:
        path, _, name = self.test.partition("::")
        file = ROOT / path
        if not file.is_file():
            return False
        module = ast.parse(file.read_text(encoding="utf-8"))
        return any(isinstance(node, ast.FunctionDef) and node.name == name for node in module.body)


@dataclass(frozen=True, slots=True)
class NotHere:
    """A step that no keeper can take, with the reason."""

    section: Section
    step: int
    why: str


Entry = Line | Elsewhere | NotHere


def forged(forgery: Forgery) -> Spoil:
    """The authenticator or the client does something else, and the authenticator signs that."""
    return lambda person, ceremony: person.judge_call(ceremony, forgery=forgery)


def edited(edit: Callable[[frames_pb2.JudgeCall], None], *, forgery: Forgery | None = None) -> Spoil:
    """What was made is changed on the way, after it was signed."""

    def spoil(person: Person, ceremony: Ceremony) -> frames_pb2.JudgeCall:
        call = person.judge_call(ceremony, forgery=forgery or Forgery())
        edit(call)
        return call

    return spoil


def outcome_of(person: Person, ceremony: Ceremony, call: frames_pb2.JudgeCall) -> Outcome:
    """Complete the ceremony by `call` as an honest front does, and tell what became of it, inside and outside."""
    desk = person.desk
    before = len(desk.store.events.get(desk.record_id(person.account), []))
    try:
        person.complete_call(ceremony, call)
    except Refused as refused:
        told = str(refused)
    else:
        return TAKEN
    if len(desk.store.events.get(desk.record_id(person.account), [])) == before:
        event, fields = desk.log.lines[-1]
        assert (event, fields["reason"]) == ("keeper_refused", told)
        return Outcome(Kind.UNJUDGED, str(fields["why"]), told)
    newest = desk.list_events(person.account).events[0]
    kinds = {event_pb2.EVENT_OUTCOME_FAILED: Kind.COUNTED, event_pb2.EVENT_OUTCOME_REFUSED: Kind.VIOLATION}
    return Outcome(kinds[newest.outcome], newest.reason, told)
