"""Controls: services broken on purpose, struck like the others. The checker must see what is wrong with each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import psutil

from deploy.development.environment import make_files
from tests.campaign.broken_front import ARMED_NAME, Defect
from tests.campaign.kinds import Kind
from tests.campaign.scene import Scene
from tests.campaign.stages import SHAPE, StruckVault, plain, served
from tests.fakes.stepped_vault import children_of, until

# Enough for each of the hostile accounts to go beyond its budget, and for a loss at every kill.
_CALLS_AT_WORK: Final = 250


class BrokenVault(StruckVault):
    """A vault whose front has a defect."""

    front_program = "tests.campaign.broken_front"


def broken(defect: Defect) -> Callable[[Path], AbstractContextManager[StruckVault]]:
    """Return a stage with a front that has `defect`."""

    @contextlib.contextmanager
    def stage(folder: Path) -> Iterator[StruckVault]:
        vault = BrokenVault(make_files(folder, SHAPE))
        (folder / "defect").write_text(defect.value, encoding="ascii")
        with served(vault):
            yield vault

    return stage


def let_work_and_kill(scene: Scene) -> float:
    """SIGKILL to front and keepers of a broken service, so that nobody remembers what was lost."""
    (scene.vault.files.folder / ARMED_NAME).touch()
    calls = scene.chronicle.calls
    told = len(calls) + _CALLS_AT_WORK
    until(lambda: len(calls) >= told, "the broken service was at work")
    scene.mark("SIGKILL front and keepers")
    _kill_children(scene)
    return time.monotonic()


def drop_log(scene: Scene) -> float:
    """SIGKILL to all, and the database's log is gone: a disk that says "synced" and has not."""
    children = children_of(scene.vault)
    scene.mark("SIGKILL all, log dropped")
    psutil.Process(scene.vault.pid).kill()
    until(lambda: not any(map(psutil.Process.is_running, children)), "the parent's children are gone with it")
    for suffix in ("-wal", "-shm"):
        scene.vault.database.with_name(f"vault.db{suffix}").unlink()
    over_at = time.monotonic()
    scene.restart()
    return over_at


def forget_all(scene: Scene) -> None:
    """Replace all keepers once more: those that saw what never was would refuse what is."""
    before = _kill_children(scene)
    until(lambda: not set(before) & set(children_of(scene.vault)), "front and keepers are others")


def _kill_children(scene: Scene) -> list[psutil.Process]:
    children = children_of(scene.vault)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    return children


_STRIKES: Final = 3
CONTROLS: Final = (
    *(
        Kind(
            name=f"control_{defect.value.replace(' ', '_')}",
            injections=_STRIKES,
            strike=let_work_and_kill,
            stage=broken(defect),
            settle=forget_all,
        )
        for defect in Defect
    ),
    Kind(name="control_log_dropped", injections=_STRIKES, strike=drop_log, stage=plain, settle=forget_all),
)
