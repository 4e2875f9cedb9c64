"""Chromium's DevTools protocol over two pipes: no port that others could reach, and no driver in between.

A message is JSON and ends with a zero byte. Chromium reads commands from descriptor 3 and writes answers and events to
descriptor 4 (`--remote-debugging-pipe`).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Event = Mapping[str, Any]
Listener = Callable[[Event], None]

ANSWER_SECONDS: Final = 30.0
_READ_BYTES: Final = 1 << 16
_NONE: Final[Mapping[str, object]] = MappingProxyType({})


class DevToolsError(Exception):
    """The browser refused a command, or is gone."""


class Connection:
    """Commands to one browser, and its events. Sessions tell its targets apart; "" is the browser itself.

    Listeners are called by the reading thread: they only take down what they are given.
    """

    def __init__(self, *, commands: int, answers: int) -> None:
        """Take the descriptors that commands are written to and answers are read from; they are closed at the end."""
        self._commands, self._answers = commands, answers
        self._writing, self._changed = threading.Lock(), threading.Condition()
        self._last_id, self._arrived = 0, dict[int, Event]()
        self._listeners: defaultdict[tuple[str, str], list[Listener]] = defaultdict(list)
        self._gone = False
        self._reader = threading.Thread(target=self._read, name="devtools", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """End the connection, which ends the browser."""
        os.close(self._commands)
        self._reader.join(ANSWER_SECONDS)

    def listen(self, event: str, listener: Listener, *, session: str) -> None:
        """Have `listener` called with the parameters of each `event` of the session."""
        self._listeners[session, event].append(listener)

    def send(
        self,
        method: str,
        *,
        session: str,
        parameters: Mapping[str, object] = _NONE,
        patience: float = ANSWER_SECONDS,
    ) -> Any:  # noqa: ANN401  each command's answer has its own form
        """Send a command and return its answer.

        Raises:
            DevToolsError: refused, unanswered, or the browser is gone.
        """
        number = self.post(method, session=session, parameters=parameters)
        deadline = time.monotonic() + patience
        with self._changed:
            while number not in self._arrived:
                if self._gone:
                    raise DevToolsError(f"{method}: the browser is gone")
                if not self._changed.wait(deadline - time.monotonic()):
                    raise DevToolsError(f"{method}: no answer")
            answer = self._arrived.pop(number)
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def post(self, method: str, *, session: str, parameters: Mapping[str, object] = _NONE) -> int:
        """Send a command without waiting for its answer, as listeners must; return its number."""
        with self._writing:
            self._last_id += 1
            message = {"id": self._last_id, "method": method, "params": dict(parameters)}
            self._write({**message, "sessionId": session} if session else message)
            return self._last_id

    def _write(self, message: Mapping[str, object]) -> None:
        rest = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while rest:
                rest = rest[os.write(self._commands, rest) :]
        except OSError as error:
            raise DevToolsError("the browser is gone") from error

    def _read(self) -> None:
        # A message may be megabytes long (a screenshot): pieces are joined once, when its end has come.
        pieces: list[bytes] = []
        with os.fdopen(self._answers, "rb", buffering=0) as answers:
            while piece := answers.read(_READ_BYTES):
                *ends, rest = piece.split(b"\0")
                for end in ends:
                    self._take(json.loads(b"".join([*pieces, end])))
                    pieces = []
                pieces.append(rest)
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _take(self, message: Event) -> None:
        if "id" in message:
            with self._changed:
                self._arrived[message["id"]] = message
                self._changed.notify_all()
            return
        for listener in self._listeners[message.get("sessionId", ""), message["method"]]:
            listener(message["params"])
