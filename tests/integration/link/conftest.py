from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.link.serving import Fields, Serve, Serving, child, gate, keeper
from tests.integration.link.support import ENVIRONMENT, PATIENCE_SECONDS


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    running: list[Serving] = []

    def start(
        *,
        keepers: list[Fields] | None = None,
        front: Fields | None = None,
        chores: Sequence[Fields] = (),
        **times: float,
    ) -> Serving:
        plan = {
            "keepers": keepers if keepers is not None else [keeper(tmp_path, name) for name in ("one", "two")],
            "front": front
            or child("front", [sys.executable, "-m", "tests.integration.link.toy_front", gate(tmp_path)]),
            "chores": list(chores),
            "times": {"keeper_stop_seconds": PATIENCE_SECONDS, "drain_seconds": PATIENCE_SECONDS, **times},
        }
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        log = tmp_path / "log.json"
        with log.open("w") as output:
            argv = [sys.executable, "-m", "tests.integration.link.toy_serve", str(tmp_path / "plan.json")]
            process = subprocess.Popen(argv, env=ENVIRONMENT, stdout=output, stderr=subprocess.DEVNULL, text=True)
        running.append(Serving(process=process, log=log, folder=tmp_path))
        return running[-1]

    yield start
    for serving in running:
        serving.process.kill()
        serving.process.wait()
        for pid in serving.started() - serving.ended():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # left over only where a promise is broken
