from __future__ import annotations

import asyncio
import contextlib

import pytest

from strongroom_service.application.attempt import Attempts
from strongroom_service.application.keepers import Caller, Completion, SignedReply
from strongroom_service.application.rows import Change, RecordRow
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import (
    Fault,
    KeeperUnavailable,
    OutcomeUnknown,
    Reason,
    RecordRejected,
    Refusal,
    StoreUnavailable,
)
from strongroom_service.domain.events import Outcome
from tests.fakes.keeper import FakeKeeper
from tests.fakes.store import FakeStore

RECORD_ID = b"r" * 32
CALLER = Caller(account_token="token", request_id="request")
COMPLETION = Completion(operation=Operation.RELEASE, ceremony=b"ceremony")


class JournalStore(FakeStore):
    """Writes its commits into the keeper's journal, once they are durable."""

    def __init__(self, journal: list[str]) -> None:
        super().__init__()
        self._journal = journal
        self.taken_back = False
        self.confirming_fails: Fault | None = None
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def confirm(self, row: RecordRow) -> None:
        self._journal.append(f"confirmed {row.version}")
        if self.confirming_fails is not None:
            raise self.confirming_fails
        if self.taken_back:
            self.set_version(row.version - 1)
        await super().confirm(row)

    async def commit(self, change: Change) -> None:
        await self.may_finish.wait()
        await super().commit(change)
        self._journal.append("committed")

    def set_version(self, version: int, sealed: bytes = b"sealed") -> None:
        self.records[RECORD_ID] = RecordRow(record_id=RECORD_ID, version=version, sealed=sealed)


class Bench:
    def __init__(self) -> None:
        self.keeper = FakeKeeper()
        self.store = JournalStore(self.keeper.journal)
        self.noted: list[tuple[Operation, Outcome]] = []
        self.attempts = Attempts(keeper=self.keeper, store=self.store, note=lambda *noted: self.noted.append(noted))

    async def complete(self) -> SignedReply:
        return await self.attempts.complete(CALLER, record_id=RECORD_ID, completion=COMPLETION)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_attempt_is_judged_then_committed_then_fulfilled(bench: Bench) -> None:
    assert (await bench.complete()).reply == b"fulfilled"
    assert bench.keeper.journal == ["judge", "committed", "fulfil"]


async def test_fulfilled_is_the_row_that_was_committed(bench: Bench) -> None:
    await bench.complete()
    assert bench.keeper.asked[-1]["row"] == bench.store.records[RECORD_ID]


async def test_refusal_is_told_only_after_its_commit(bench: Bench) -> None:
    bench.keeper.refusal = Refusal(Reason.NOT_VERIFIED)
    with pytest.raises(Refusal) as told:
        await bench.complete()
    assert told.value.reason is Reason.NOT_VERIFIED
    assert bench.keeper.journal == ["judge", "committed"]


async def test_verdict_stays_unsaid_while_the_commit_is_under_way(bench: Bench) -> None:
    bench.keeper.refusal = Refusal(Reason.NOT_VERIFIED)
    bench.store.may_finish.clear()
    caller = asyncio.create_task(bench.complete())
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.keeper.journal == ["judge"]
    assert not caller.done()
    bench.store.may_finish.set()
    with pytest.raises(Refusal):
        await caller


async def test_refusal_without_judging_commits_nothing(bench: Bench) -> None:
    bench.keeper.raises = Refusal(Reason.COOLING_DOWN)
    with pytest.raises(Refusal):
        await bench.complete()
    assert bench.keeper.journal == ["judge"]


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("fault", [StoreUnavailable("full"), OutcomeUnknown("lost")])
async def test_failed_commit_lets_nothing_out(bench: Bench, fault: Fault, *, written: bool, refused: bool) -> None:
    bench.keeper.refusal = Refusal(Reason.NOT_VERIFIED) if refused else None
    bench.store.fail_next_commit(fault, written=written)
    with pytest.raises(type(fault)):
        await bench.complete()
    assert bench.keeper.journal == ["judge"]


async def test_loser_of_a_race_is_told_to_begin_again_and_nothing_else(bench: Bench) -> None:
    bench.keeper.refusal = Refusal(Reason.NOT_VERIFIED)
    bench.store.may_finish.clear()
    caller = asyncio.create_task(bench.complete())
    await asyncio.sleep(0.01)
    bench.store.set_version(1)
    bench.store.may_finish.set()
    with pytest.raises(Refusal) as told:
        await caller
    assert told.value.reason is Reason.BEGIN_AGAIN
    assert "committed" not in bench.keeper.journal


async def test_answer_that_was_granted_before_is_fulfilled_without_a_commit(bench: Bench) -> None:
    bench.store.set_version(3)
    bench.keeper.already_granted = True
    assert (await bench.complete()).reply == b"fulfilled"
    assert bench.keeper.journal == ["judge", "confirmed 3", "fulfil"]
    assert bench.keeper.asked[-1]["row"] == bench.store.records[RECORD_ID]


async def test_answer_that_was_granted_in_a_row_taken_back_is_not_given(bench: Bench) -> None:
    bench.store.set_version(3)
    bench.keeper.already_granted = True
    bench.store.taken_back = True
    with pytest.raises(Refusal) as told:
        await bench.complete()
    assert told.value.reason is Reason.BEGIN_AGAIN
    assert bench.keeper.journal == ["judge", "confirmed 3"]


@pytest.mark.parametrize("fault", [StoreUnavailable("cut off"), OutcomeUnknown("no standby")])
async def test_answer_that_was_granted_before_needs_a_store_that_confirms_it(bench: Bench, fault: Fault) -> None:
    bench.store.set_version(3)
    bench.keeper.already_granted = True
    bench.store.confirming_fails = fault
    with pytest.raises(type(fault)):
        await bench.complete()
    assert bench.keeper.journal == ["judge", "confirmed 3"]


async def test_caller_who_hangs_up_stops_nothing_that_was_judged(bench: Bench) -> None:
    bench.store.may_finish.clear()
    caller = asyncio.create_task(bench.complete())
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    bench.store.may_finish.set()
    await bench.attempts.drain()
    assert bench.keeper.journal == ["judge", "committed", "fulfil"]


async def test_fault_after_the_caller_hung_up_is_seen_to(bench: Bench) -> None:
    bench.store.may_finish.clear()
    bench.store.fail_next_commit(OutcomeUnknown("lost"), written=True)
    caller = asyncio.create_task(bench.complete())
    await asyncio.sleep(0.01)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    bench.store.may_finish.set()
    await bench.attempts.drain()  # an exception that nobody retrieved would fail this test as a warning
    assert bench.keeper.journal == ["judge"]


async def test_drain_waits_for_every_attempt(bench: Bench) -> None:
    bench.store.may_finish.clear()
    caller = asyncio.create_task(bench.complete())
    await asyncio.sleep(0.01)
    drain = asyncio.create_task(bench.attempts.drain())
    await asyncio.sleep(0.01)
    assert not drain.done()
    bench.store.may_finish.set()
    await drain
    assert bench.keeper.journal[-1] == "fulfil"
    assert (await caller).reply == b"fulfilled"


async def test_row_that_is_stale_is_loaded_once_more(bench: Bench) -> None:
    bench.store.set_version(4)
    bench.keeper.newest = 5
    bench.keeper.on_call = lambda _: bench.store.set_version(5)
    assert (await bench.complete()).reply == b"fulfilled"
    assert bench.keeper.journal == ["judge", "judge", "committed", "fulfil"]


async def test_store_that_went_back_is_a_fault(bench: Bench) -> None:
    bench.store.set_version(4)
    bench.keeper.newest = 5
    with pytest.raises(RecordRejected):
        await bench.complete()
    assert bench.keeper.journal == ["judge"]


async def test_store_that_lost_the_row_is_a_fault(bench: Bench) -> None:
    bench.keeper.newest = 1
    with pytest.raises(RecordRejected):
        await bench.complete()


async def test_record_that_moves_on_twice_means_to_begin_again(bench: Bench) -> None:
    bench.store.set_version(4)

    def move_on(_: str) -> None:
        bench.keeper.newest += 1
        bench.store.set_version(bench.keeper.newest)

    bench.keeper.newest = 4
    bench.keeper.on_call = move_on
    with pytest.raises(Refusal) as told:
        await bench.complete()
    assert told.value.reason is Reason.BEGIN_AGAIN


async def test_commit_that_another_keeper_overtook_is_fulfilled_on_the_newer_row(bench: Bench) -> None:
    def overtake(call: str) -> None:
        if call == "fulfil" and bench.keeper.newest < 9:
            bench.store.set_version(9)
            bench.keeper.newest = 9

    bench.keeper.on_call = overtake
    assert (await bench.complete()).reply == b"fulfilled"
    assert bench.keeper.journal == ["judge", "committed", "fulfil", "fulfil"]
    assert bench.keeper.asked[-1]["row"] == bench.store.records[RECORD_ID]


async def test_keeper_that_dies_before_the_commit_leaves_no_attempt(bench: Bench) -> None:
    bench.keeper.raises = KeeperUnavailable("died")
    with pytest.raises(KeeperUnavailable):
        await bench.complete()
    assert bench.store.records == {}


async def test_attempt_is_kept_when_the_keeper_dies_after_the_commit(bench: Bench) -> None:
    def die(call: str) -> None:
        if call == "fulfil":
            bench.keeper.raises = KeeperUnavailable("died")

    bench.keeper.on_call = die
    with pytest.raises(KeeperUnavailable):
        await bench.complete()
    assert bench.store.records[RECORD_ID].version == 1
