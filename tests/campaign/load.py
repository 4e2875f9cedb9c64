"""Concurrent clients over many accounts, each going on by itself until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from random import Random
from types import TracebackType
from typing import Final, Self

from strongroom.v1 import event_pb2
from tests.campaign.hand_account import Account, HandAccount
from tests.campaign.history import Chronicle
from tests.campaign.library_account import LibraryAccount
from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SteppedVault

_ENROLL_AT_ONCE: Final = 4
_JOIN_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 0.05
_HISTORY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """How many workers, and accounts by their kind. Hand accounts are used by two workers each, so that they race."""

    workers: int = 5
    honest: int = 10
    hostile: int = 4
    library: int = 2


class Load:
    """Enrolled accounts and the threads that use them; a context manager. The service must be well when it begins."""

    def __init__(self, *vaults: SteppedVault, chronicle: Chronicle, seed: int, shape: LoadShape | None = None) -> None:
        """`vaults`: replicas of one, which the accounts are spread over."""
        shape = shape or LoadShape()
        self.chronicle = chronicle
        vault = cycle(vaults)
        self.honest = [HandAccount(next(vault), chronicle) for _ in range(shape.honest)]
        self.hostile = [HandAccount(next(vault), chronicle, hostile=True) for _ in range(shape.hostile)]
        self.library = [LibraryAccount(next(vault), chronicle) for _ in range(shape.library)]
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        with ThreadPoolExecutor(_ENROLL_AT_ONCE) as pool:
            list(pool.map(_enrolled, [*self.honest, *self.hostile, *self.library]))
        shares: list[list[Account]] = [[] for _ in range(shape.workers)]
        hands = [*self.honest, *self.hostile]
        for number, account in enumerate(hands):
            shares[number % shape.workers].append(account)
            shares[(number + 1) % shape.workers].append(account)
        for number, library in enumerate(self.library):
            shares[number % shape.workers].append(library)
        self._threads = [
            threading.Thread(target=self._work, args=(share, Random(f"{seed}-{number}")), daemon=True)
            for number, share in enumerate(shares)
        ]

    @property
    def accounts(self) -> list[Account]:
        """All of them."""
        return [*self.honest, *self.hostile, *self.library]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_JOIN_SECONDS)
        for account in self.accounts:
            account.close()

    def end(self) -> None:
        """Stop; every call under way ends by its deadline at the latest. What a worker failed over is raised."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_JOIN_SECONDS)
            assert not thread.is_alive()
        if self._failed:
            raise self._failed[0]

    def histories(self) -> dict[str, list[event_pb2.Event]]:
        """Every account's own history; the service must be up. One that is refused for good is left out."""
        return {account.name: history for account in self.accounts if (history := _history_of(account)) is not None}

    def _work(self, share: Sequence[Account], chance: Random) -> None:
        try:
            while not self._stop.is_set():
                if not chance.choice(share).step(chance):
                    self._stop.wait(_WAIT_SECONDS)
        except BaseException as error:  # noqa: BLE001  raised by `end`
            self._failed.append(error)


def _enrolled(account: HandAccount | LibraryAccount) -> None:
    account.enroll_now()


def _history_of(account: Account) -> list[event_pb2.Event] | None:
    deadline = time.monotonic() + _HISTORY_SECONDS
    while True:
        try:
            return account.history()
        except Told as told:
            if time.monotonic() > deadline:
                if told.reason == "RECORD_REJECTED":
                    return None
                raise
        time.sleep(_WAIT_SECONDS)
