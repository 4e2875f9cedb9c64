"""Faults at a chosen step of a completion: ports that do, once and for one request, what a file asks of them.

    <folder>/steps/<request id>.<step>        holds an action

A front with these ports (`tests.fakes.stepped_front`) is the real one; without such a file they only pass on.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

import psutil
from structlog.contextvars import get_contextvars

from strongroom_service.application.keepers import (
    AlreadyGranted,
    Caller,
    CommitOrder,
    Completion,
    Keeper,
    SignedReply,
    TenantCaller,
)
from strongroom_service.application.rows import Change, EventRow, RecordRow
from strongroom_service.application.stores import RecordStore

HELD_SUFFIX = ".held"
"""The file beside a plan that says that its request is held; once it is removed the request goes on."""

_POLL_SECONDS = 0.01


@unique
class Step(Enum):
    """Where a completion can be met."""

    BEFORE_JUDGE = "before-judge"
    AFTER_JUDGE = "after-judge"
    BEFORE_COMMIT = "before-commit"
    COMMIT = "commit"
    AFTER_COMMIT = "after-commit"
    BEFORE_FULFIL = "before-fulfil"
    AFTER_FULFIL = "after-fulfil"


@unique
class Action(Enum):
    """What can happen there. LIE is for COMMIT alone: to say that it was done, and not to do it."""

    KILL_FRONT = "kill front"
    STOP_FRONT = "stop front"
    KILL_KEEPERS = "kill keepers"
    STOP_KEEPERS = "stop keepers"
    KILL_PARENT = "kill parent"
    HOLD = "hold"
    LIE = "lie"


def plan_file(folder: Path, request_id: str, step: Step) -> Path:
    """Where the plan for one request and step is."""
    return folder / "steps" / f"{request_id}.{step.value}"


@dataclass(frozen=True)
class Steps:
    """The plans in `folder`, as the front's process carries them out."""

    folder: Path

    def take(self, step: Step) -> Action | None:
        """Return what is to be done, once."""
        plan = plan_file(self.folder, str(get_contextvars().get("request_id")), step)
        if not plan.exists():  # asks without a descriptor: a test may have used them up
            return None
        try:
            action = Action(plan.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        plan.unlink()
        return action

    async def reach(self, step: Step) -> None:
        """Do what is planned for this request here."""
        action = self.take(step)
        if action is None:
            return
        if action is Action.HOLD:
            held = plan_file(self.folder, str(get_contextvars().get("request_id")), step).with_suffix(HELD_SUFFIX)
            held.touch()
            while held.exists():  # noqa: ASYNC110  another process removes it
                await asyncio.sleep(_POLL_SECONDS)
        else:
            _strike(action)


def _strike(action: Action) -> None:
    number = signal.SIGSTOP if action in {Action.STOP_FRONT, Action.STOP_KEEPERS} else signal.SIGKILL
    match action:
        case Action.KILL_FRONT | Action.STOP_FRONT:
            os.kill(os.getpid(), number)
        case Action.KILL_PARENT:
            os.kill(os.getppid(), number)
            signal.pause()  # its end is ours, by the kernel's hand
        case _:
            for child in psutil.Process(os.getppid()).children():
                if "run-keeper-child" in child.cmdline():
                    os.kill(child.pid, number)


class SteppedKeeper:
    """The two calls of `Keeper` that a completion makes, over a real one."""

    def __init__(self, inner: Keeper, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        await self._steps.reach(Step.BEFORE_JUDGE)
        verdict = await self._inner.judge(caller, completion=completion, row=row)
        await self._steps.reach(Step.AFTER_JUDGE)
        return verdict

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        await self._steps.reach(Step.BEFORE_FULFIL)
        reply = await self._inner.fulfil(caller, completion=completion, row=row)
        await self._steps.reach(Step.AFTER_FULFIL)
        return reply

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class SteppedStore:
    """`RecordStore` over a real one."""

    def __init__(self, inner: RecordStore, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        return await self._inner.load_record(record_id)

    async def confirm(self, row: RecordRow) -> None:
        await self._inner.confirm(row)

    async def load_events(self, record_id: bytes, *, before_version: int, limit: int) -> tuple[EventRow, ...]:
        return await self._inner.load_events(record_id, before_version=before_version, limit=limit)

    async def commit(self, change: Change) -> None:
        await self._steps.reach(Step.BEFORE_COMMIT)
        if self._steps.take(Step.COMMIT) is not Action.LIE:
            await self._inner.commit(change)
        await self._steps.reach(Step.AFTER_COMMIT)
