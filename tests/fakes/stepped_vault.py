"""A development vault whose front can be met at a step, and whose processes can be found and struck."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.steps import HELD_SUFFIX, Action, Step, plan_file

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS: Final = 30.0

SHAPE: Final = VaultShape(
    keepers=2,
    keeper_settings={"call_deadline_seconds": 1.5, "heartbeat_timeout_seconds": 2.5},
    policy={"cool_down_seconds": [], "releases_per_day": 1_000},
    limits={"max_concurrent_streams": 400, "max_concurrent_calls": 400},
)
"""No cool-downs, keepers that are soon given up on, room for crowds."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what must happen."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


class SteppedVault(DevelopmentVault):
    """Started with `SteppedVault.start(folder, shape=SHAPE)`. `front_program` is the module that the front runs."""

    front_program = "tests.fakes.stepped_front"

    def serve(self, *, environment: Mapping[str, str] | None = None) -> None:
        """See `DevelopmentVault.serve`."""
        folder = self.files.folder
        (folder / "steps").mkdir(exist_ok=True)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "tests.fakes.stepped_serve",
                    str(self.files.config_file),
                    self.front_program,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {}), "PYTHONPATH": path},
            )
        try:
            self._wait_until_serving()
        except BaseException:
            self.stop()
            raise

    def plan(self, request_id: str, step: Step, action: Action) -> Path:
        """Let the front do `action` when the request comes to `step`; return the file that says it is held there."""
        plan = self.plan_of(request_id, step)
        written = plan.with_suffix(".new")
        written.write_text(action.value, encoding="ascii")
        written.replace(plan)  # under load the request may come at once
        return plan.with_suffix(HELD_SUFFIX)

    def plan_of(self, request_id: str, step: Step) -> Path:
        """Return the file of a plan; it is gone once the request has come to the step."""
        return plan_file(self.files.folder, request_id, step)


def children_of(vault: DevelopmentVault) -> list[psutil.Process]:
    """Front and keepers."""
    return psutil.Process(vault.pid).children()


def keepers_of(vault: DevelopmentVault) -> list[psutil.Process]:
    """Keepers by index."""
    found = [child for child in children_of(vault) if "run-keeper-child" in _cmdline(child)]
    return sorted(found, key=lambda child: _cmdline(child)[-1])


def front_of(vault: DevelopmentVault) -> psutil.Process:
    """The front."""
    [front] = [child for child in children_of(vault) if _is_front(_cmdline(child))]
    return front


def is_whole(vault: DevelopmentVault) -> bool:
    """Whether a front serves with as many keepers as there should be, each of them in use."""
    return len(keepers_of(vault)) == SHAPE.keepers and vault.is_serving() and _keepers_in_use(vault) == SHAPE.keepers


def _keepers_in_use(vault: DevelopmentVault) -> int:
    """How many keepers the front has opened, and not lost, since both were started; all append to one log."""
    in_use: set[str] = set()
    for line in vault.log_file.read_text(encoding="utf-8").splitlines():
        if '"event": "keeper_opened"' in line:
            in_use.add(json.loads(line)["keeper"].removesuffix(".sock"))
        elif '"event": "keeper_lost"' in line:
            in_use.discard(json.loads(line)["keeper"].removesuffix(".sock"))
        elif '"event": "child_started"' in line:
            child = json.loads(line)["child"]
            in_use = in_use - {child} if child != "front" else set()
    return len(in_use)


def _is_front(cmdline: list[str]) -> bool:
    return "front" in cmdline or any(word.startswith("tests.") and word.endswith("_front") for word in cmdline)


def _cmdline(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.Error:  # ended meanwhile
        return []
