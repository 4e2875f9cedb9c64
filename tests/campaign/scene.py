"""One service under load, about to be struck."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

import psutil

from tests.campaign.history import Chronicle, Injection
from tests.campaign.load import Load
from tests.campaign.stages import StruckVault
from tests.fakes.stepped_vault import front_of, is_whole, keepers_of, until

RECOVERY_SECONDS: Final = 40.0
_LASTING: Final = 6
_Found = TypeVar("_Found")


@dataclass
class Scene:
    """What an injection has to do with. `number` counts the injections of the run from 0."""

    vault: StruckVault
    load: Load
    chronicle: Chronicle
    chance: Random
    number: int = 0
    _struck: tuple[str, float, int] = field(init=False)

    def mark(self, what: str, *, in_flight: int = 0) -> None:
        """Call it just before striking: notes when, and how many calls are under way (or were, if told)."""
        self._struck = (what, time.monotonic(), max(in_flight, self.chronicle.under_way()))

    def inject(self, strike: Callable[[Scene], float]) -> None:
        """Strike once, and wait until a client is served again; `strike` returns when its fault was over."""
        over_at = strike(self)
        what, at, in_flight = self._struck
        served_at = self.chronicle.first_answered_after(over_at, patience_seconds=RECOVERY_SECONDS)
        self.chronicle.injections.append(
            Injection(what=what, at=at, in_flight=in_flight, seconds_to_recover=served_at - over_at)
        )
        self.number += 1

    def front(self) -> psutil.Process:
        """The front; waits for one."""
        return self._found(lambda: front_of(self.vault), "there is a front")

    def keepers(self) -> list[psutil.Process]:
        """All keepers that there are; waits for one."""
        return self._found(lambda: keepers_of(self.vault), "there is a keeper")

    def keeper(self) -> psutil.Process:
        """One of them."""
        return self.chance.choice(self.keepers())

    def wait(self, least: float, most: float) -> None:
        """Let a time pass that chance draws: how long the fault lasts, or when the next begins."""
        time.sleep(self.chance.uniform(least, most))

    def lasts(self) -> bool:
        """Whether this stop or hang, one of six, goes on until the process is given up on; waits for a whole service.

        A process that has just been started may be silent for much longer.
        """
        lasting = self.number % _LASTING == _LASTING - 1
        if lasting:
            until(lambda: is_whole(self.vault), "front and keepers are in use")
        return lasting

    def restart(self) -> None:
        """Do what the host's service manager does once the parent has ended."""
        self.vault.stop()
        self.vault.serve()

    def _found(self, look: Callable[[], _Found], what: str) -> _Found:
        found: list[_Found] = []

        def is_there() -> bool:
            try:
                looked = look()
            except ValueError:
                return False
            if looked:
                found.append(looked)
            return bool(looked)

        until(is_there, what)
        return found[-1]
