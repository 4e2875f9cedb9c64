"""Whatever happens in whatever order, the SQLite store answers as the one in memory does."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from strongroom_service.application.rows import Change, VaultRow
from strongroom_service.store.migrations import migrate
from strongroom_service.store.sqlite import SqliteStore
from tests.fakes.store import FakeStore

RECORD_IDS = [bytes([number]) * 32 for number in range(3)]
# Relative to the version that stands when the batch begins; 2 and 3 follow only upon a neighbour in the batch.
STEPS = st.sampled_from([-1, 0, 1, 1, 1, 2, 3])
CHANGES = st.tuples(st.sampled_from(RECORD_IDS), STEPS, st.binary(max_size=64), st.binary(max_size=64))
VAULTS = st.tuples(STEPS, st.binary(max_size=64))


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "vault.db"
        self.runner = asyncio.Runner()
        self.model = FakeStore()

    async def _open(self) -> SqliteStore:
        return SqliteStore.open(self.path)

    @initialize()
    def make(self) -> None:
        migrate(self.path)
        self.real = self.runner.run(self._open())

    @rule(batch=st.lists(st.one_of(CHANGES, VAULTS), min_size=1, max_size=8))
    def commit_together(self, batch: list[tuple[bytes, int, bytes, bytes] | tuple[int, bytes]]) -> None:
        rows = [self._row(drawn) for drawn in batch]
        assert self.runner.run(_outcomes(self.real, rows)) == self.runner.run(_outcomes(self.model, rows))

    @rule()
    def open_again(self) -> None:
        self.real.close()
        self.real = self.runner.run(self._open())

    @rule(record_id=st.sampled_from(RECORD_IDS), before=st.integers(0, 2**64), limit=st.integers(-2, 2**63 - 1))
    def page_of_events(self, record_id: bytes, before: int, limit: int) -> None:
        real, model = (
            self.runner.run(store.load_events(record_id, before_version=before, limit=limit))
            for store in (self.real, self.model)
        )
        assert real == model

    @invariant()
    def same_rows(self) -> None:
        for record_id in RECORD_IDS:
            assert self.runner.run(self.real.load_record(record_id)) == self.model.records.get(record_id)
        assert self.runner.run(self.real.load_vault()) == self.model.vault

    def teardown(self) -> None:
        self.real.close()
        self.runner.close()
        self.folder.cleanup()

    def _row(self, drawn: tuple[bytes, int, bytes, bytes] | tuple[int, bytes]) -> Change | VaultRow:
        if len(drawn) == 2:
            step, sealed = drawn
            standing = 0 if self.model.vault is None else self.model.vault.version
            return VaultRow(version=max(standing + step, 1), sealed=sealed)
        record_id, step, sealed, sealed_event = drawn
        row = self.model.records.get(record_id)
        version = max((0 if row is None else row.version) + step, 1)
        return Change(record_id=record_id, version=version, at=version, sealed_record=sealed, sealed_event=sealed_event)


async def _outcomes(store: FakeStore | SqliteStore, rows: list[Change | VaultRow]) -> list[str]:
    calls = [store.commit(row) if isinstance(row, Change) else store.commit_vault(row) for row in rows]
    return [repr(done) for done in map(type, await asyncio.gather(*calls, return_exceptions=True))]


StoresAgree.TestCase.settings = settings(max_examples=40, stateful_step_count=12)
test_stores_agree = StoresAgree.TestCase
