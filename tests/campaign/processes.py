"""Processes killed and stopped: at any moment, and at each step of a completion."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Final

import psutil

from tests.campaign.scene import Scene
from tests.fakes.stepped_vault import children_of, until
from tests.fakes.steps import Action, Step

STEPS: Final = tuple(step for step in Step if step is not Step.COMMIT)
_STEP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.001


def kill_keeper(scene: Scene) -> float:
    """SIGKILL to one keeper."""
    return _kill(scene, "SIGKILL keeper", scene.keeper())


def kill_front(scene: Scene) -> float:
    """SIGKILL to the front."""
    return _kill(scene, "SIGKILL front", scene.front())


def kill_parent(scene: Scene) -> float:
    """SIGKILL to the parent; the service is started again."""
    children = children_of(scene.vault)
    scene.mark("SIGKILL parent")
    struck_at = time.monotonic()
    psutil.Process(scene.vault.pid).kill()
    _restart_after(scene, children)
    return struck_at


def stop_keeper(scene: Scene) -> float:
    """SIGSTOP to one keeper, and SIGCONT after a while, or not."""
    lasts = scene.lasts()
    return _stop(scene, "SIGSTOP keeper", scene.keeper(), lasts=lasts)


def stop_front(scene: Scene) -> float:
    """SIGSTOP to the front, and SIGCONT after a while, or not."""
    lasts = scene.lasts()
    return _stop(scene, "SIGSTOP front", scene.front(), lasts=lasts)


def stop_parent(scene: Scene) -> float:
    """SIGSTOP to the parent while a keeper dies, and SIGCONT after a while: nobody is replaced before that."""
    parent, keeper = psutil.Process(scene.vault.pid), scene.keeper()
    scene.mark("SIGSTOP parent, SIGKILL keeper")
    parent.suspend()
    keeper.kill()
    scene.wait(0.05, 0.8)
    parent.resume()
    return time.monotonic()


def kill_front_at_step(scene: Scene) -> float:
    """The front kills itself at a step."""
    _reach(scene, Action.KILL_FRONT)
    return time.monotonic()


def kill_keepers_at_step(scene: Scene) -> float:
    """All keepers are killed when a completion is at a step."""
    _reach(scene, Action.KILL_KEEPERS)
    return time.monotonic()


def kill_parent_at_step(scene: Scene) -> float:
    """The parent is killed when a completion is at a step; the service is started again."""
    children = children_of(scene.vault)
    _reach(scene, Action.KILL_PARENT)
    struck_at = time.monotonic()
    _restart_after(scene, children)
    return struck_at


def stop_front_at_step(scene: Scene) -> float:
    """The front stops itself at a step."""
    lasts, front = scene.lasts(), scene.front()
    _reach(scene, Action.STOP_FRONT)
    return _go_on(scene, [front], lasts=lasts)


def stop_keepers_at_step(scene: Scene) -> float:
    """All keepers are stopped when a completion is at a step."""
    lasts, keepers = scene.lasts(), scene.keepers()
    _reach(scene, Action.STOP_KEEPERS)
    return _go_on(scene, keepers, lasts=lasts)


def _kill(scene: Scene, what: str, victim: psutil.Process) -> float:
    scene.mark(what)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    return time.monotonic()


def _stop(scene: Scene, what: str, victim: psutil.Process, *, lasts: bool) -> float:
    scene.mark(what)
    for each in _there([victim]):
        each.suspend()
    return _go_on(scene, [victim], lasts=lasts)


def _go_on(scene: Scene, victims: list[psutil.Process], *, lasts: bool) -> float:
    """Have stopped processes go on after a while, or wait until they have been replaced."""
    if lasts:
        until(lambda: not any(map(psutil.Process.is_running, victims)), "who was stopped is given up on")
        return time.monotonic()
    scene.wait(0.05, 0.6)
    for victim in _there(victims):
        victim.resume()
    return time.monotonic()


def _there(victims: Iterable[psutil.Process]) -> Iterator[psutil.Process]:
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            if victim.is_running():
                yield victim


def _restart_after(scene: Scene, children: list[psutil.Process]) -> None:
    until(lambda: not any(map(psutil.Process.is_running, children)), "the parent's children are gone with it")
    scene.restart()


def _reach(scene: Scene, action: Action) -> None:
    """Have the next completion of some account meet `action` at the step whose turn it is; return once it has."""
    step = STEPS[scene.number % len(STEPS)]
    victim = scene.chance.choice(scene.load.honest)
    scene.vault.plan(victim.request_id, step, action)
    plan = scene.vault.plan_of(victim.request_id, step)
    deadline = time.monotonic() + _STEP_SECONDS
    in_flight = 0
    while plan.exists():
        assert time.monotonic() < deadline, f"nobody came to {step.value}"
        in_flight = scene.chronicle.under_way()
        time.sleep(_POLL_SECONDS)
    scene.mark(f"{action.value} {step.value}", in_flight=in_flight)
