"""The parent of `strongroomd serve`: starts keepers and front, replaces what dies or falls silent, ends them in order.

It has no port and no secret. Nobody outlives it: the kernel kills its children when it ends.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.child import BLOCKED_SIGNALS, Child, ChildSpec

if TYPE_CHECKING:
    from strongroom_service.link.log import Log

EX_CONFIG: Final = 78
"""What a child exits with when its configuration or keys are not fit (sysexits.h); it has said why on stderr."""

_ROUND_SECONDS: Final = 0.1
_STOPPING: Final = frozenset({signal.SIGTERM, signal.SIGINT})


@unique
class SupervisorExit(IntEnum):
    """Exit codes of the parent. It gives up over what must be mended before another start, and says so by its code."""

    STOPPED = 0
    GAVE_UP = EX_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorTimes:
    """In seconds.

    Attributes:
        drain_seconds: the front's time to finish its requests after SIGTERM.
        keeper_stop_seconds: the keepers' time to finish their call, after the front has ended.
        backoff_first_seconds: wait before a child that died young is replaced; doubles with each early death.
        backoff_most_seconds: where it stops doubling.
        grown_seconds: a child that lived for longer did not die young, and is replaced at once.
    """

    drain_seconds: float = 30.0
    keeper_stop_seconds: float = 5.0
    backoff_first_seconds: float = 0.1
    backoff_most_seconds: float = 10.0
    grown_seconds: float = 10.0


class _Post:
    """A place that one child after the other fills."""

    def __init__(self, spec: ChildSpec, *, times: SupervisorTimes, log: Log) -> None:
        self._spec = spec
        self._times = times
        self._log = log
        self._early_deaths = 0
        self._vacant_until = 0.0
        self.child: Child | None = None

    def fill(self) -> None:
        """Start a child if there is none and the backoff is over."""
        if self.child is None and time.monotonic() >= self._vacant_until:
            self.child = Child(self._spec, log=self._log)

    def vacate(self) -> int | None:
        """Return the exit code of a child that has ended, and make room for the next; None while it runs."""
        if self.child is None or (code := self.child.exit_code()) is None:
            return None
        self._early_deaths = self._early_deaths + 1 if self.child.age_seconds() < self._times.grown_seconds else 0
        wait = self._times.backoff_first_seconds * 2 ** min(self._early_deaths - 1, 32) if self._early_deaths else 0.0
        wait = min(wait, self._times.backoff_most_seconds)
        self._log.error("child_vacant", child=self._spec.name, code=code, seconds=wait)
        self._vacant_until = time.monotonic() + wait
        self.child = None
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something to be done again and again by a child that ends when it is done.

    The service does not depend on it: however it ends, even with EX_CONFIG, it is tried again after the pause.

    Attributes:
        first_seconds: how long after the start it is first done.
        pause_seconds: between the end of one child and the start of the next.
    """

    spec: ChildSpec
    first_seconds: float
    pause_seconds: float


class _ChorePost:
    """The place of a chore's children."""

    def __init__(self, chore: Chore, *, log: Log) -> None:
        self._chore = chore
        self._log = log
        self._idle_until = time.monotonic() + chore.first_seconds
        self.child: Child | None = None

    def fill(self) -> None:
        """Start a child if there is none and the pause is over."""
        if self.child is not None or time.monotonic() < self._idle_until:
            return
        try:
            self.child = Child(self._chore.spec, log=self._log)
        except Misconfigured as error:
            self._log.error("chore_not_started", child=self._chore.spec.name, why=str(error))
            self._idle_until = time.monotonic() + self._chore.pause_seconds

    def vacate(self) -> int | None:
        """Return the exit code of a child that has ended, and begin the pause; None while it runs."""
        if self.child is None or (code := self.child.exit_code()) is None:
            return None
        if code:
            self._log.error("chore_failed", child=self._chore.spec.name, code=code)
        self._idle_until = time.monotonic() + self._chore.pause_seconds
        self.child = None
        return code


class Supervisor:
    """Keepers first, then the front; to be run by the main thread of a process that has no other."""

    def __init__(
        self,
        *,
        keepers: Sequence[ChildSpec],
        front: ChildSpec | None,
        times: SupervisorTimes,
        reload: Callable[[], None],
        log: Log,
        chores: Sequence[Chore] = (),
    ) -> None:
        """Without `front` the keepers serve one that runs elsewhere, as in another container.

        `reload` is called at SIGHUP, before the children are told; those of `chores` are not.
        """
        self._keepers = [_Post(spec, times=times, log=log) for spec in keepers]
        self._fronts = [] if front is None else [_Post(front, times=times, log=log)]
        self._chores = [_ChorePost(chore, log=log) for chore in chores]
        self._times = times
        self._reload = reload
        self._log = log

    def run(self) -> SupervisorExit:
        """Supervise until SIGTERM or SIGINT (drains, then returns STOPPED), or until a child exits with EX_CONFIG.

        The latter ends the service (GAVE_UP) whenever it happens: a PIN that is refused must not be tried again and
        again, as tokens lock after a few wrong ones.

        Raises:
            Misconfigured: a program cannot be run.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
        try:
            result = self._supervise()
            self._end([*self._fronts, *self._chores], self._times.drain_seconds)
            return result
        finally:
            self._end([*self._keepers, *self._fronts, *self._chores], self._times.keeper_stop_seconds)
            while signal.sigtimedwait(BLOCKED_SIGNALS, 0) is not None:
                pass  # asked to stop twice: the second must not kill us when it is unblocked
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._log.info("stopped")

    def _supervise(self) -> SupervisorExit:
        posts = [*self._keepers, *self._fronts]
        listening_since_ns = round_ns = time.monotonic_ns()
        while True:
            for post in posts:
                if post.vacate() == EX_CONFIG:
                    self._log.error("giving_up", why="a child's configuration is not fit; it has said why")
                    return SupervisorExit.GAVE_UP
                post.fill()
            for chore in self._chores:
                chore.vacate()
                chore.fill()
            arrived = signal.sigtimedwait(BLOCKED_SIGNALS, _ROUND_SECONDS)
            if arrived is not None and arrived.si_signo in _STOPPING:
                self._log.info("stopping", signal=arrived.si_signo)
                return SupervisorExit.STOPPED
            if arrived is not None and arrived.si_signo == signal.SIGHUP:
                self._reload()
                self._tell_reload(posts)
            now_ns = time.monotonic_ns()
            if now_ns - round_ns > 10 * _ROUND_SECONDS * 1e9:
                listening_since_ns = now_ns  # we were held up, so they may have been: their silence proves nothing
            round_ns = now_ns
            for child in (post.child for each in (posts, self._chores) for post in each):
                if child is not None:
                    child.kill_if_silent(not_before_ns=listening_since_ns)

    def _end(self, posts: Sequence[_Post | _ChorePost], grace_seconds: float) -> None:
        """Ask the children to end, and kill those that have not after `grace_seconds`."""
        for post in posts:
            if post.child is not None and post.vacate() is None:
                post.child.terminate()
        deadline = time.monotonic() + grace_seconds
        killed = False
        while running := [post.child for post in posts if post.child is not None and post.vacate() is None]:
            if not killed and time.monotonic() >= deadline:
                killed = True
                for child in running:
                    self._log.error("child_killed", child=child.spec.name, why="it did not end in time")
                    child.kill()
            signal.sigtimedwait({signal.SIGCHLD}, _ROUND_SECONDS)

    def _tell_reload(self, posts: Sequence[_Post]) -> None:
        # Keepers first: nobody is admitted by a front whose keepers have not been told of the tenant yet.
        for post in posts:
            if post.child is not None:
                post.child.reload()
