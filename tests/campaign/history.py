"""What clients were told, call by call, and what was done to the service meanwhile; written as JSON lines."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from strongroom.v1 import event_pb2
from tests.integration.faults.checker import Outcome, Said

COMPLETIONS: Final = frozenset(
    {"CompleteRegistration", "StoreEnvelope", "ReleaseEnvelope", "SetRecovery", "DeleteVault"}
)
# Of a call that ended so, nobody told the client what became of it.
UNANSWERED: Final = frozenset(
    {
        "UNAVAILABLE",
        "OUTCOME_UNKNOWN",
        "DEADLINE_EXCEEDED",
        "CANCELLED",
        "UNKNOWN",
        "INTERNAL",
        "RECORD_REJECTED",
        "DATA_LOSS",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One RPC as its client saw it; times are those of time.monotonic().

    Attributes:
        good: whether a completion's signature was right.
        told: empty for an answer, else the reason, or the status code where none was given.
        version, head: of a completion's receipt.
    """

    account: str
    rpc: str
    ceremony: bytes = field(repr=False)
    good: bool
    began_at: float
    ended_at: float
    told: str = ""
    version: int = 0
    head: bytes = field(default=b"", repr=False)

    @property
    def outcome(self) -> Outcome:
        """What that says of a completion."""
        if not self.told:
            return Outcome.ACKED
        if self.told == "NOT_VERIFIED":
            return Outcome.REFUSED
        return Outcome.UNKNOWN if self.told in UNANSWERED else Outcome.UNJUDGED

    @property
    def completes(self) -> bool:
        """Whether it completes a ceremony."""
        return self.rpc in COMPLETIONS

    def said(self) -> Said:
        """The same for `tests.integration.faults.checker`."""
        return Said(
            account=self.account,
            ceremony=self.ceremony,
            good=self.good,
            outcome=self.outcome,
            version=self.version,
            head=self.head,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One fault: what it was, when, how many calls were under way, and how long after its end one was answered."""

    what: str
    at: float
    in_flight: int
    seconds_to_recover: float


class Chronicle:
    """The calls of all clients of one service, by whatever threads."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.injections: list[Injection] = []
        self.stopped: list[str] = []
        self._under_way = 0
        self._changed = threading.Condition()

    def begin(self) -> float:
        """A call begins now; give what this returns to `end` as `began_at`."""
        with self._changed:
            self._under_way += 1
        return time.monotonic()

    def end(self, call: Call) -> None:
        """A call has ended."""
        with self._changed:
            self._under_way -= 1
            self.calls.append(call)
            self._changed.notify_all()

    def under_way(self) -> int:
        """How many calls are not answered yet."""
        with self._changed:
            return self._under_way

    def stop(self, account: str, why: BaseException) -> None:
        """A client believed the vault no longer."""
        self.stopped.append(f"client stopped: {account}: {type(why).__name__}: {why}")

    def first_answered_after(self, moment: float, *, patience_seconds: float) -> float:
        """Wait for a completion begun at `moment` or later to be answered, and return when it was."""
        deadline = time.monotonic() + patience_seconds
        seen = 0
        with self._changed:
            while True:
                for call in self.calls[seen:]:
                    if call.began_at >= moment and call.completes and call.outcome is Outcome.ACKED:
                        return call.ended_at
                seen = len(self.calls)
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"no client was served again within {patience_seconds} s")

    def told(self) -> Counter[str]:
        """How often what was told."""
        return Counter(call.told or "OK" for call in self.calls)

    def write(self, path: Path, histories: dict[str, list[event_pb2.Event]]) -> None:
        """Write all of it, then each account's history as signed for it, one JSON object a line."""
        with path.open("w", encoding="utf-8") as file:
            for line in self._lines(histories):
                file.write(json.dumps(line) + "\n")

    def _lines(self, histories: dict[str, list[event_pb2.Event]]) -> Iterator[dict[str, object]]:
        for call in self.calls:
            yield {
                "call": call.rpc,
                **{name: value for name, value in asdict(call).items() if name not in {"rpc", "ceremony", "head"}},
                "ceremony": call.ceremony.hex(),
                "head": call.head.hex(),
                "outcome": call.outcome.value,
            }
        for injection in self.injections:
            yield {"injection": injection.what, **asdict(injection)}
        for account, history in histories.items():
            for event in history:
                yield {
                    "event": event_pb2.EventKind.Name(event.kind),
                    "account": account,
                    "version": event.version,
                    "outcome": event_pb2.EventOutcome.Name(event.outcome),
                    "failures": event.failures,
                    "event_time_ms": event.event_time.ToMilliseconds(),
                    "ceremony": event.ceremony.hex(),
                    "head": event.chain_head.hex(),
                }


class KeptCall:
    """A call under way; `end` writes down what became of it."""

    def __init__(self, chronicle: Chronicle, account: str, method: str, request: Any, *, good: bool) -> None:  # noqa: ANN401  a message
        self._chronicle = chronicle
        self._account = account
        self._method = method
        self._ceremony: bytes = request.ceremony if method in COMPLETIONS else b""
        self._good = good
        self._began_at = chronicle.begin()

    def end(self, *, told: str = "", receipt: Any = None) -> None:  # noqa: ANN401  a message
        self._chronicle.end(
            Call(
                account=self._account,
                rpc=self._method,
                ceremony=self._ceremony,
                good=self._good,
                began_at=self._began_at,
                ended_at=time.monotonic(),
                told=told,
                version=receipt.version if receipt else 0,
                head=receipt.chain_head if receipt else b"",
            )
        )
