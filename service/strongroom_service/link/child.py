"""One child of the supervisor: how it is started, watched and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.hardening import die_with_parent, forbid_new_privileges
from strongroom_service.link.heartbeat import HEARTBEAT_FD, Heartbeat

if TYPE_CHECKING:
    from strongroom_service.link.log import Log

BLOCKED_SIGNALS: Final = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""What the supervisor waits for instead of handling; a child must not inherit that."""

_UNBLOCKED: Final = BLOCKED_SIGNALS - {signal.SIGHUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run.

    Attributes:
        name: for the logs.
        argv: program and arguments; never a secret, as anybody can read it in /proc.
        uid, gid: what it runs under, without further groups, if the parent is root; None keeps the parent's.
        heartbeat_timeout_seconds: silent for longer, it is killed; must exceed its longest call.
        start_timeout_seconds: the same until its first beat.
        environment: all of its environment; the descriptors' numbers are added. No secret either.
        descriptors: returns what it inherits beside its heartbeat, when it is started: numbers, by their variables.
    """

    name: str
    argv: Sequence[str]
    uid: int | None = None
    gid: int | None = None
    heartbeat_timeout_seconds: float = 10.0
    start_timeout_seconds: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Callable[[], Mapping[str, int]] = dict


class Child:
    """A running child. It is killed when its parent's main thread ends, however that happens."""

    def __init__(self, spec: ChildSpec, *, log: Log) -> None:
        """Start it.

        Raises:
            Misconfigured: the program cannot be run.
        """
        self.spec = spec
        self._log = log
        self._heartbeat = Heartbeat.create(spec.name)
        self.started_ns = time.monotonic_ns()
        self._killed = False
        try:
            self._process = self._spawn()
        except (OSError, subprocess.SubprocessError) as error:
            self._heartbeat.close()
            raise Misconfigured(f"cannot start {spec.name} ({spec.argv[0]}): {error}") from error
        log.info("child_started", child=spec.name, pid=self._process.pid)

    @property
    def pid(self) -> int:
        """Its process id; its own for as long as `exit_code` has not told that it ended."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return None while it runs; after that its exit code, or the negative number of the signal that ended it."""
        code = self._process.poll()
        if code is not None and not self._heartbeat.closed:
            self._heartbeat.close()
            self._log.info("child_ended", child=self.spec.name, pid=self.pid, code=code, age=self.age_seconds())
        return code

    def age_seconds(self) -> float:
        """Return how long ago it was started."""
        return (time.monotonic_ns() - self.started_ns) / 1e9

    def kill_if_silent(self, *, not_before_ns: int) -> None:
        """Kill it if it gave no sign of life for longer than it may.

        Silence counts from `not_before_ns` (CLOCK_MONOTONIC) at the earliest: before that nobody listened.
        """
        if self._killed:
            return
        beaten_ns = self._heartbeat.last_beat_ns()
        allowed = self.spec.heartbeat_timeout_seconds if beaten_ns else self.spec.start_timeout_seconds
        silent = (time.monotonic_ns() - max(beaten_ns or self.started_ns, not_before_ns)) / 1e9
        if silent > allowed:
            self._log.error("child_silent", child=self.spec.name, pid=self.pid, seconds=silent)
            self.kill()

    def reload(self) -> None:
        """Ask it to read its files again; one that has just been started does so when it is ready to."""
        self._process.send_signal(signal.SIGHUP)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once; also works on a stopped process."""
        self._killed = True
        self._process.kill()

    def _spawn(self) -> subprocess.Popen[bytes]:
        spec = self.spec
        descriptors = {HEARTBEAT_FD: self._heartbeat.fd, **spec.descriptors()}
        changes_user = spec.uid is not None and os.geteuid() == 0
        return subprocess.Popen(  # noqa: S603  argv comes from our own command line, not from a request
            list(spec.argv),
            stdin=subprocess.DEVNULL,
            env={**spec.environment, **{name: str(number) for name, number in descriptors.items()}},
            pass_fds=tuple(descriptors.values()),
            user=spec.uid if changes_user else None,
            group=spec.gid if changes_user else None,
            extra_groups=() if changes_user else None,
            umask=0o077,
            # No controlling terminal: Ctrl-C reaches the parent alone, and a child cannot push input into root's shell.
            start_new_session=True,
            # Runs after the change of user id, which would clear the death signal. Safe: the parent has one thread.
            preexec_fn=partial(_before_exec, os.getpid()),  # noqa: PLW1509
        )


def _before_exec(parent_pid: int) -> None:
    die_with_parent(parent_pid)
    forbid_new_privileges()
    # A SIGHUP waits until the child has a handler for it: without one it would end the child.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _UNBLOCKED)
