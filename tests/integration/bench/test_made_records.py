"""Accounts that were made and not enrolled, on the real service: what bulk-made records are worth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.bench.databases import database_of
from tests.bench.growth import EXAMPLES, GrowingVault
from tests.bench.running import started
from tests.bench.served import ServedVault

RECORDS, MORE, USED = 24, 40, 8


@pytest.mark.verify
@pytest.mark.parametrize("make", [ServedVault.on_sqlite, ServedVault.on_postgres], ids=["sqlite", "postgres"])
def test_accounts_that_were_made_release_and_are_as_many_as_asked_for(
    make: Callable[[Path], AbstractContextManager[ServedVault]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with started(make(tmp_path_factory.mktemp("v") / "vault"), accounts=EXAMPLES) as bench:
        growing, address = GrowingVault(bench), bench.served.vault.address
        growing.grow(RECORDS, used=USED)
        assert bench.fleet.walk(address=address, clients=2, first=0, last=USED) == USED
        growing.grow(MORE, used=2 * USED)
        assert bench.fleet.walk(address=address, clients=2, first=0, last=2 * USED) == 2 * USED
        bench.served.stop()
        with database_of(bench.served.database) as database:
            room = database.room()
    assert room.records == MORE
    # Enrolling is two, and each generator's first account released once; of made ones the newest is there.
    assert room.events == (2 * EXAMPLES + 2) + (MORE - EXAMPLES) + 3 * USED
    assert room.record_bytes > 2_048 * MORE
    assert room.event_bytes > 1_024 * MORE
