"""Each record has a keeper of its own, as long as that one is well and not much busier than another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from strongroom_service.application.rows import RecordRow
from strongroom_service.link.keeper_client import KeeperPool
from tests.integration.link.pools import CALLER, both_in_use, pool_over, started
from tests.integration.link.support import eventually, toy_keeper

ROWS = [RecordRow(record_id=bytes([number]) * 32, version=1, sealed=b"sealed") for number in range(8)]


async def asked(pool: KeeperPool, row: RecordRow, what: str = "pid") -> int:
    return int((await pool.describe_record(CALLER, nonce=what.encode(), row=row)).reply)


async def test_a_record_meets_the_same_keeper_each_time_and_records_are_spread(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            first = [await asked(pool, row) for row in ROWS]
            assert await asyncio.gather(*(asked(pool, row) for row in ROWS)) == first
            assert set(first) == {one.pid, two.pid}


async def test_a_record_goes_elsewhere_when_its_own_keeper_has_much_more_to_do(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            own, other = (one, two) if await asked(pool, ROWS[0]) == one.pid else (two, one)
            waiting = [asyncio.create_task(asked(pool, ROWS[0], what)) for what in ("gate", "pid", "pid", "pid")]
            await eventually(own.file("waiting").exists, "the record's own keeper is busy")
            assert [await asked(pool, ROWS[0]) for _ in range(8)] == [other.pid] * 8
            own.file("go").touch()
            assert await asyncio.gather(*waiting) == [own.pid] * 4


async def test_a_record_goes_elsewhere_while_its_own_keeper_is_unwell(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "one.sock") as one, toy_keeper(tmp_path / "two.sock") as two:
        async with started(pool_over(one.path, two.path)) as pool:
            await eventually(lambda: both_in_use(pool), "both keepers are in use")
            own, other = (one, two) if await asked(pool, ROWS[0]) == one.pid else (two, one)
            own.file("unwell").touch()
            await eventually(lambda: pool.healthy_keepers == 1, "the pool knows")
            assert await asked(pool, ROWS[0]) == other.pid
