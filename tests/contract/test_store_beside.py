"""The second hand on the database: what `VaultStore` asks, beside a service that writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from strongroom_service.application.rows import Change, VaultRow
from strongroom_service.domain.errors import Misconfigured, StoreUnavailable, VersionConflict
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteStore
from strongroom_service.store.sqlite_beside import SqliteBeside
from tests.contract.sqlite_hand import raw


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    migrate(tmp_path / "vault.db")
    store = SqliteStore.open(tmp_path / "vault.db")
    await store.commit_vault(VaultRow(version=1, sealed=b"first"))
    yield store
    store.close()


@pytest.fixture
def beside(service: SqliteStore, tmp_path: Path) -> Iterator[SqliteBeside]:
    opened = SqliteBeside.open_beside(tmp_path / "vault.db")
    yield opened
    opened.close()


def change(number: int, version: int) -> Change:
    return Change(record_id=bytes([number]) * 32, version=version, at=1, sealed_record=b"record", sealed_event=b"event")


async def test_next_version_replaces_the_row(service: SqliteStore, beside: SqliteBeside) -> None:
    await beside.commit_vault(VaultRow(version=2, sealed=b"second"))
    assert await service.load_vault() == await beside.load_vault() == VaultRow(version=2, sealed=b"second")
    await service.commit_vault(VaultRow(version=3, sealed=b"third"))
    assert await beside.load_vault() == VaultRow(version=3, sealed=b"third")


@pytest.mark.parametrize("version", [1, 3, 4])
async def test_another_version_conflicts_and_changes_nothing(beside: SqliteBeside, version: int) -> None:
    with pytest.raises(VersionConflict):
        await beside.commit_vault(VaultRow(version=version, sealed=b"loser"))
    assert await beside.load_vault() == VaultRow(version=1, sealed=b"first")
    await beside.commit_vault(VaultRow(version=2, sealed=b"second"))  # nothing is left under way


async def test_of_both_hands_one_wins(service: SqliteStore, beside: SqliteBeside) -> None:
    rows = (VaultRow(version=2, sealed=b"service"), VaultRow(version=2, sealed=b"beside"))
    done = await asyncio.gather(service.commit_vault(rows[0]), beside.commit_vault(rows[1]), return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [VersionConflict]
    assert await service.load_vault() == rows[done.index(None)]


async def test_change_of_a_record_is_guarded_by_its_version_too(service: SqliteStore, beside: SqliteBeside) -> None:
    await service.commit(change(7, 1))
    await beside.commit(change(7, 2))
    for version in (1, 2, 4):
        with pytest.raises(VersionConflict):
            await beside.commit(change(7, version))
    await service.commit(change(7, 3))
    events = await service.load_events(bytes([7]) * 32, before_version=9, limit=9)
    assert [event.version for event in events] == [3, 2, 1]


async def test_service_goes_on_writing(service: SqliteStore, beside: SqliteBeside) -> None:
    writing = [asyncio.create_task(service.commit(change(number, 1))) for number in range(1, 60)]
    for version in range(2, 12):
        await beside.commit_vault(VaultRow(version=version, sealed=b"beside"))
        await asyncio.sleep(0)
    await asyncio.gather(*writing)
    assert len(await beside.scan_record_ids(after=b"", limit=100)) == 59


async def test_database_that_somebody_keeps_locked_is_unavailable(service: SqliteStore, tmp_path: Path) -> None:
    beside = SqliteBeside.open_beside(tmp_path / "vault.db", busy_seconds=0.05)
    with raw(tmp_path / "vault.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await beside.commit_vault(VaultRow(version=2, sealed=b"second"))
        other.execute("ROLLBACK")
    await beside.commit_vault(VaultRow(version=2, sealed=b"second"))
    beside.close()


async def test_row_that_the_database_refuses_leaves_it_as_it_was(beside: SqliteBeside) -> None:
    with pytest.raises(StoreUnavailable, match="not committed"):
        await beside.commit_vault(VaultRow(version=2, sealed=cast("bytes", None)))
    assert await beside.load_vault() == VaultRow(version=1, sealed=b"first")
    await beside.commit_vault(VaultRow(version=2, sealed=b"second"))


def test_no_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no database"):
        SqliteBeside.open_beside(tmp_path / "vault.db")
