from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.errors import (
    Fault,
    KeeperUnavailable,
    Misconfigured,
    OutcomeUnknown,
    RecordRejected,
    StoreUnavailable,
    StrongroomError,
    TokenFault,
    VersionConflict,
)
from strongroom_service.link.keeper_link import LinkTimes
from tests.fakes.log import RecordingLog
from tests.integration.link.pools import IMPATIENT, Vault, pool_over, started, told
from tests.integration.link.support import eventually, toy_keeper


@pytest.mark.parametrize("kind", [Misconfigured, TokenFault, RecordRejected, Fault])
async def test_start_fails_with_what_the_keeper_says_of_its_keys(tmp_path: Path, kind: type[Fault]) -> None:
    with toy_keeper(tmp_path / "one.sock") as keeper:
        pool = pool_over(keeper.path, vault=Vault(b"fault " + kind.__name__.encode()))
        with pytest.raises(kind, match="as asked"):
            await pool.start()
        with pytest.raises(KeeperUnavailable):
            _ = pool.id_key


async def test_start_fails_before_init(tmp_path: Path) -> None:
    vault = Vault()
    vault.row = None
    with toy_keeper(tmp_path / "one.sock") as keeper, pytest.raises(Misconfigured, match="init"):
        await pool_over(keeper.path, vault=vault).start()


async def test_start_gives_up_when_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(KeeperUnavailable, match="cannot connect"):
        await pool_over(tmp_path / "one.sock", times=IMPATIENT).start()


async def test_start_waits_for_keepers_that_come_late(tmp_path: Path) -> None:
    log = RecordingLog()
    pool = pool_over(tmp_path / "one.sock", log=log)
    starting = asyncio.create_task(pool.start())
    await eventually(lambda: "keeper_not_opened" in log.events(), "the pool has tried in vain")
    with toy_keeper(tmp_path / "one.sock") as keeper:
        await starting
        assert await told(pool) == keeper.pid
        await pool.close()


async def test_start_waits_for_a_store_that_comes_late(tmp_path: Path) -> None:
    class LateVault(Vault):
        async def load(self) -> VaultRow | None:
            if self.loads < 2:
                self.loads += 1
                raise StoreUnavailable
            return await super().load()

    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path, vault=LateVault())) as pool:
            assert pool.ready


async def test_a_bug_in_loading_the_vault_ends_the_start(tmp_path: Path) -> None:
    class BrokenVault(Vault):
        async def load(self) -> VaultRow | None:
            raise ZeroDivisionError

    with toy_keeper(tmp_path / "one.sock") as keeper, pytest.raises(ZeroDivisionError):
        await pool_over(keeper.path, vault=BrokenVault()).start()


async def test_a_successor_is_committed_and_then_opened(tmp_path: Path) -> None:
    vault = Vault(b"due")
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path, vault=vault)) as pool:
            assert vault.row == VaultRow(version=2, sealed=b"renewed")
            assert await told(pool, "opened") == 2


@pytest.mark.parametrize("answer", [VersionConflict, OutcomeUnknown])
async def test_another_fronts_successor_is_taken_where_it_came_first(
    tmp_path: Path, answer: type[StrongroomError]
) -> None:
    vault = Vault(b"due", answer)
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path, vault=vault)) as pool:
            assert vault.row == VaultRow(version=2, sealed=b"another front's")
            assert await told(pool, "opened") == 2


async def test_successors_without_end_are_a_fault(tmp_path: Path) -> None:
    class ForgetfulVault(Vault):
        async def commit(self, row: VaultRow) -> None:
            pass

    with toy_keeper(tmp_path / "one.sock") as keeper, pytest.raises(Fault, match="still due"):
        await pool_over(keeper.path, vault=ForgetfulVault(b"due")).start()


async def test_the_vault_is_opened_again_from_time_to_time(tmp_path: Path) -> None:
    times = LinkTimes(probe_interval_seconds=0.02, reopen_interval_seconds=0.05)
    with toy_keeper(tmp_path / "one.sock") as keeper:
        async with started(pool_over(keeper.path, times=times)) as pool:
            opened = [1]
            while opened[-1] < 3:
                opened.append(await told(pool, "opened"))
            assert sorted(opened) == opened
            assert pool.ready


async def test_a_keeper_with_another_vaults_keys_is_not_used(tmp_path: Path) -> None:
    log = RecordingLog()
    with toy_keeper(tmp_path / "one.sock") as one:
        async with started(pool_over(one.path, tmp_path / "two.sock", log=log)) as pool:
            with toy_keeper(tmp_path / "two.sock", "--id-key", "x" * 32):
                await eventually(lambda: "different id keys" in str(log.lines), "it is refused")
                assert {await told(pool) for _ in range(10)} == {one.pid}


async def test_an_id_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock", "--id-key", "short") as keeper, pytest.raises(Fault, match="5 bytes"):
        await pool_over(keeper.path).start()
