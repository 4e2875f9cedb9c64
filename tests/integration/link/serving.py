"""A running supervisor over toy children, and what its log says of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.link.support import ENVIRONMENT, PATIENCE_SECONDS, keeper_argv, listens, until

Fields = dict[str, Any]
SLEEPER = ["/bin/sleep", "1000"]


@dataclass
class Serving:
    """A running supervisor and what it has logged so far."""

    process: subprocess.Popen[str]
    log: Path
    folder: Path

    def lines(self, event: str) -> list[Fields]:
        text = self.log.read_text()
        whole = text[: text.rfind("\n") + 1]
        return [line for line in map(json.loads, whole.splitlines()) if line["event"] == event]

    def events(self) -> list[tuple[str, str]]:
        text = self.log.read_text()
        return [
            (line["event"], line["child"])
            for line in map(json.loads, text[: text.rfind("\n") + 1].splitlines())
            if "child" in line
        ]

    def pids(self, child: str) -> list[int]:
        return [line["pid"] for line in self.lines("child_started") if line["child"] == child]

    def started(self) -> set[int]:
        return {line["pid"] for line in self.lines("child_started")}

    def ended(self) -> set[int]:
        return {line["pid"] for line in self.lines("child_ended")}

    def await_pids(self, child: str, number: int) -> list[int]:
        until(lambda: len(self.pids(child)) >= number, f"{child} was started {number} times")
        return self.pids(child)

    def exit_code(self) -> int:
        return self.process.wait(timeout=PATIENCE_SECONDS)


def child(name: str, argv: list[str], **fields: object) -> Fields:
    return {"name": name, "argv": argv, "environment": ENVIRONMENT, "heartbeat_timeout_seconds": 3.0, **fields}


Serve = Callable[..., Serving]


def gate(folder: Path) -> str:
    return str(folder / "front.go")


def keeper(folder: Path, name: str) -> Fields:
    return child(name, keeper_argv(folder / f"{name}.sock"))


def listening(serving: Serving, *names: str) -> None:
    for name in names:
        until(partial(listens, serving.folder / f"{name}.sock"), f"{name} listens")
