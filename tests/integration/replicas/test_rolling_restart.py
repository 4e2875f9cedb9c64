"""Replicas that are stopped and started one after the other while clients release: nobody is turned away for it."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Any, Self

import pytest

from strongroom_client.errors import NotVerified, StrongroomError
from tests.campaign.history import Chronicle
from tests.campaign.library_account import LibraryAccount
from tests.fakes.stepped_vault import until
from tests.fixtures.replicas import Replicas
from tests.ha.verdict import double_releases
from tests.integration.faults.checker import Evidence, complaints, read_fulfilled, read_postgres_chains


class PatientClients:
    """Accounts by the client library, each with all replicas to choose from; `failed` is what a release ended with."""

    def __init__(self, replicas: Replicas, count: int) -> None:
        self.chronicle = Chronicle()
        addresses = [vault.address.replace("localhost", "127.0.0.1") for vault in replicas.vaults]
        self.accounts = [
            LibraryAccount(
                replicas.vaults[number % len(addresses)],
                self.chronicle,
                # Each begins with another replica, and has the rest to fall back on.
                target="ipv4:" + ",".join(addresses[number % len(addresses) :] + addresses[: number % len(addresses)]),
            )
            for number in range(count)
        ]
        for account in self.accounts:
            account.enroll_now()
        self.failed: list[StrongroomError] = []
        self.released: Counter[str] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(account,)) for account in self.accounts]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        for account in self.accounts:
            account.close()

    def end(self) -> None:
        """Stop; every call under way ends by its deadline at the latest. Idempotent."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def goes_on(self) -> None:
        """Wait until each has released once more."""
        before = dict(self.released)
        until(lambda: all(self.released[each.name] > before.get(each.name, 0) for each in self.accounts), "all go on")

    def _work(self, account: LibraryAccount) -> None:
        chance = Random(account.name)
        while not self._stop.wait(0.1):  # a day's quota is for the whole run
            account.authenticator.wrong = chance.random() < 0.2
            try:
                account.release()
                self.released[account.name] += 1
            except NotVerified:
                if not account.authenticator.wrong:
                    raise
            except StrongroomError as error:
                self.failed.append(error)


def evidence_of(replicas: Replicas, clients: PatientClients) -> Evidence:
    histories: dict[str, Any] = {account.name: account.history() for account in clients.accounts}
    fulfilled = [line for log in replicas.logs for line in read_fulfilled(log)]
    chains = read_postgres_chains(replicas.owner_url)
    return Evidence(chains=chains, fulfilled=fulfilled, histories=histories, budget=10)


def check(replicas: Replicas, clients: PatientClients) -> None:
    evidence = evidence_of(replicas, clients)
    said = [call.said() for call in clients.chronicle.calls if call.completes]
    assert complaints(said, evidence) == []
    assert double_releases(clients.chronicle.calls, evidence.histories) == []
    assert clients.failed == []


@pytest.mark.verify
def test_no_release_fails_while_replicas_are_restarted_one_after_the_other(replicas: Replicas) -> None:
    with PatientClients(replicas, 4) as clients:
        clients.goes_on()
        for vault in replicas.vaults:
            assert vault.stop() == 0
            clients.goes_on()
            vault.serve()
            clients.goes_on()
        clients.end()
        check(replicas, clients)


@pytest.mark.verify
def test_control_sees_clients_turned_away_when_all_replicas_stop(replicas: Replicas) -> None:
    with PatientClients(replicas, 2) as clients:
        clients.goes_on()
        for vault in replicas.vaults:
            vault.stop()
        until(lambda: clients.failed, "a release fails")
        for vault in replicas.vaults:
            vault.serve()
        clients.goes_on()
        clients.end()
        with pytest.raises(AssertionError, match="Unavailable"):
            check(replicas, clients)
