"""The host in trouble: a full disk, a database that somebody holds, no descriptors left, a clock that is set."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
from pathlib import Path
from typing import Final

from strongroom_service.store.sqlite_files import WRITER_BUSY_SECONDS
from tests.campaign.scene import Scene
from tests.fakes.descriptors import no_descriptors_left

_DAY: Final = 86_400
JUMPS: Final = (3_600, 0, -3_600, _DAY, 400 * _DAY, -_DAY, 7 * _DAY, 0, -400 * _DAY, 60, -60, 2 * _DAY, 5, 0)
_CHUNK: Final = bytes(64 * 1024)
_REFUSED_SECONDS: Final = 4.0
_BUSY_SECONDS: Final = 10.0


def disk_full(scene: Scene) -> float:
    """Fill the disk, until a client was refused or for some seconds; then make room again."""
    ballast = scene.vault.database.with_name("ballast")
    scene.mark("disk full")
    seen = len(scene.chronicle.calls)
    _fill(ballast)
    deadline = time.monotonic() + _REFUSED_SECONDS
    while time.monotonic() < deadline:
        _fill(ballast)  # a checkpoint may give some room back
        if any(call.told == "UNAVAILABLE" for call in scene.chronicle.calls[seen:]):
            break
        time.sleep(0.02)
    scene.wait(0.0, 0.2)
    ballast.unlink()
    return time.monotonic()


def database_locked(scene: Scene) -> float:
    """Another process (this one) holds the database's write lock: in turn shorter than the store waits, and longer."""
    connection = sqlite3.connect(scene.vault.database, isolation_level=None, timeout=_BUSY_SECONDS)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        scene.mark("database locked")
        longer = WRITER_BUSY_SECONDS * (scene.number % 2)
        scene.wait(longer + 0.1, longer + 1.0)
        connection.execute("ROLLBACK")
    return time.monotonic()


def no_descriptors(scene: Scene) -> float:
    """The front can open nothing more while clients connect anew; or the keepers cannot, and a new front connects."""
    front, keepers = scene.front(), scene.keepers()
    if scene.number % 2:
        with no_descriptors_left(keepers):
            scene.mark("no descriptors: keepers")
            front.kill()
            scene.wait(0.3, 1.0)
    else:
        with no_descriptors_left([front]):
            scene.mark("no descriptors: front")
            for account in scene.chance.sample(scene.load.honest, k=4):
                account.connect_anew()
            if scene.number % 4:
                scene.keeper().kill()
            scene.wait(0.3, 1.0)
    return time.monotonic()


def clock_jump(scene: Scene) -> float:
    """Set the keepers' clock: an hour, a day, a year; forward, back, and right again."""
    seconds = JUMPS[scene.number % len(JUMPS)]
    scene.mark(f"clock {seconds:+d} s")
    scene.vault.set_clock(seconds)
    struck_at = time.monotonic()
    scene.wait(0.05, 0.4)
    return struck_at


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for chunk in (_CHUNK, _CHUNK[:4096]):
            try:
                while file.write(chunk) == len(chunk):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
