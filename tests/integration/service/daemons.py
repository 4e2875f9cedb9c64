"""`strongroomd` commands that keep running, for tests that start the service's parts one by one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class User:
    """A user by number, without further groups."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Python:
    """An interpreter that finds this project."""

    executable: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def strongroomd(self, command: str, config_file: Path) -> list[str]:
        return [self.executable, "-P", "-m", "strongroom_service.cli.main", command, "--config", str(config_file)]

    def run(
        self, command: str, config_file: Path, *arguments: str, user: User | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as this user or another."""
        return subprocess.run(
            [*self.strongroomd(command, config_file), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            env=self.environment,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else (),
        )


class Daemon:
    """One command, started; killed with its children when the block ends, if it has not been stopped."""

    def __init__(
        self,
        python: Python,
        command: str,
        config_file: Path,
        *,
        log_file: Path,
        user: User | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.log_file = log_file
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*python.strongroomd(command, config_file), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=python.environment,
                user=None if user is None else user.uid,
                group=None if user is None else user.gid,
                extra_groups=None if user is None else (),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tree(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def named(self, command: str) -> list[psutil.Process]:
        """Return the processes of the tree that run this subcommand."""
        return [process for process in self.tree() if runs(process, command)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=_PATIENCE_SECONDS)

    def kill(self) -> None:
        self.process.kill()  # the kernel kills its children with it
        self.process.wait()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait; fail as soon as this daemon has ended, with the end of its log."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                what = "did not come about in time" if ended is None else f"daemon ended with {ended}"
                raise AssertionError(f"{what}:\n{self.log_file.read_text(encoding='utf-8')[-4_000:]}")
            time.sleep(0.02)


def runs(process: psutil.Process, command: str) -> bool:
    """Tell whether a process runs this subcommand; one that has ended meanwhile does not."""
    try:
        return command in process.cmdline()
    except psutil.NoSuchProcess:  # also a zombie, between its end and its parent's notice
        return False


def processes_naming(place: Path) -> list[int]:
    """Return the ids of processes that have `place` in their arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(place) in argument for argument in process.cmdline()):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found
