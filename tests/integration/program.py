"""A program of `make` as a process in a session of its own, with everything that it starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS: Final = 240


class Program:
    """`python -m MODULE ARGUMENTS`, started; `place` is the folder that everything it writes goes to."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        place: Path,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self._place = place
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_until(self, beginning: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return
        raise AssertionError(f"it never said {beginning!r}: {self.lines} {self._process.communicate()}")

    def end(self) -> tuple[int, str]:
        """Wait; return exit code and standard error."""
        try:
            output, errors = self._process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.lines.extend(output.splitlines())
        return self._process.returncode, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:  # a test that failed half way
            self.kill()

    def kill(self) -> None:
        """Kill whatever is left, and let go of it."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self._process.communicate()

    def processes(self) -> list[psutil.Process]:
        """Return what runs of it: its session, and whatever else has its folder on the command line."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                within = os.getsid(process.pid) == self.pid
                named = any(str(self._place) in argument for argument in process.cmdline())
                if (within or named) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
