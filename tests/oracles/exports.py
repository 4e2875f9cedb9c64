"""Exports of a desk's events, spoilt, and checked by the program that has nothing of ours."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from strongroom.v1 import event_pb2
from strongroom_service.application.export_histories import export_histories
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fakes.store import FakeStore

CHECKER = Path(__file__).parents[2] / "deploy" / "evidence" / "check_export.py"

Lines = list[dict[str, Any]]


async def export_of(desk: Desk, store: FakeStore | None = None) -> Lines:
    """Of all that the desk has, or of a store that a test has changed."""
    lines: list[str] = []
    keeper = OperatorKeeper(DeskConnection(OperatorDesk(desk)))
    await export_histories(store or store_of(desk), keeper=keeper, write=lines.append)
    return [json.loads(line) for line in lines]


def check(folder: Path, lines: Lines, *options: str, python: Path = Path(sys.executable)) -> tuple[int, list[str]]:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = subprocess.run([python, "-I", CHECKER, path, *options], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def named(said: list[str]) -> list[str]:
    """The findings as "name account's version"."""
    return [f"{line.split(':')[0]} {line.split(' version ')[1].split(':')[0]}" for line in said[:-1]]


def place(lines: Lines, account: str, version: int) -> int:
    """Where the account's event of this version stands."""
    record = next(number for number, line in enumerate(lines) if line.get("account") == account)
    return record + version


def change_content(lines: Lines, at: int, **changes: object) -> None:
    event = event_pb2.Event.FromString(base64.b64decode(lines[at]["content"]))
    for name, value in changes.items():
        setattr(event, name, value)
    lines[at]["content"] = base64.b64encode(event.SerializeToString(deterministic=True)).decode()
