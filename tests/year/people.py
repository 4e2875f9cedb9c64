"""A thousand people with a passkey each, and traffic by some of them that a client's patience covers or that fails."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Final

from deploy.development.environment import DevelopmentVault
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import SoftwarePasskey

_AT_ONCE: Final = 4
_WORKERS: Final = 3
# What a client begins anew for: its record moved on, or the service was away for a moment.
_COVERED: Final = frozenset({"ABORTED", "UNAVAILABLE", "CANCELLED"})
_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.1


class Person:
    """An account with its passkey, and the envelope that must come back for ever."""

    def __init__(self, number: int) -> None:
        self.account = f"person-{number}"
        self.envelope = hashlib.sha256(self.account.encode()).digest() * 4
        self.passkey = SoftwarePasskey(rp_id="localhost", origin="http://localhost")

    def enroll(self, vault: DevelopmentVault) -> None:
        with HandClient(vault, self.account, passkey=self.passkey) as client:
            client.enroll(self.envelope)

    def restore(self, vault: DevelopmentVault) -> None:
        """Release, as often as a client would try, and compare.

        Raises:
            AssertionError: another envelope came back.
            Told: the service said no, or said it for too long.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with HandClient(vault, self.account, passkey=self.passkey) as client:
            while True:
                try:
                    released = client.release()
                except Told as told:
                    if told.code.name not in _COVERED or time.monotonic() > deadline:
                        raise
                    time.sleep(_PAUSE_SECONDS)
                    continue
                assert released == [self.envelope], f"{self.account} got another envelope back"
                return


def all_of(people: Sequence[Person], what: str, vault: DevelopmentVault) -> None:
    """Have each of them `enroll` or `restore`. Raises what the first failure raises."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda person: getattr(person, what)(vault), people))


class Traffic:
    """Restores that go on until the block ends; what failed is raised then."""

    def __init__(self) -> None:
        self.restored = 0
        self.failed: list[BaseException] = []


@contextmanager
def traffic(people: Sequence[Person], vault: DevelopmentVault, *, seed: int) -> Iterator[Traffic]:
    """Have some people restore again and again, each as seldom as the daily limit asks."""
    told, stop, lock = Traffic(), threading.Event(), threading.Lock()
    order = list(people)
    Random(seed).shuffle(order)
    waiting = iter(order)

    def work() -> None:
        while not stop.is_set():
            with lock:
                person = next(waiting, None)
            if person is None:
                return
            try:
                person.restore(vault)
            except (AssertionError, Told) as error:
                told.failed.append(error)
                return
            with lock:
                told.restored += 1

    threads = [threading.Thread(target=work) for _ in range(_WORKERS)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not told.failed, told.failed[0]
    assert told.restored, "nobody restored meanwhile"
