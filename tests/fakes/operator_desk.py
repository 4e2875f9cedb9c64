"""An operator's command beside a desk: asks the same keeper by its other door, without a socket."""

from __future__ import annotations

import os
from collections.abc import Sequence

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom_service.application.rows import EventRow, RecordRow, VaultRow
from strongroom_service.keeper.operating import OperatorHandler
from tests.fakes.desk import Desk, Refused
from tests.fakes.store import FakeStore

SPREAD_MS = 90_000


class OperatorDesk:
    """One connection, with the vault open on it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.handler = OperatorHandler(
            keeper=desk.handler, clock=desk.clock, random=os.urandom, spread_ms=SPREAD_MS, log=desk.log
        )
        self.standing = self.open_vault()

    def open_vault(self) -> operator_pb2.VaultStandingReply:
        """Open the vault's row as it stands."""
        opening = frames_pb2.OpenVaultCall(version=self.desk.vault_version, sealed=self.desk.vault_sealed)
        return self.ask(operator_pb2.OperatorCall(open_vault=opening)).vault_standing

    def ask(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        reply = self.handler.handle(call)
        if reply.HasField("fault"):
            raise Refused(reply.fault.kind)
        if reply.HasField("stale"):
            raise Refused("STALE")
        return reply

    def rows(self) -> list[frames_pb2.Row]:
        """All rows, in order of record ids."""
        return [self.desk.store.rows[record_id] for record_id in sorted(self.desk.store.rows)]

    def events(self, record_id: bytes) -> list[frames_pb2.EventRow]:
        """A record's events, oldest first."""
        return list(reversed(self.desk.store.events[record_id]))

    def add_leaves(self, rows: Sequence[frames_pb2.Row]) -> list[bytes]:
        asked = operator_pb2.CheckpointRowsCall(rows=rows)
        reply = self.ask(operator_pb2.OperatorCall(checkpoint_rows=asked))
        return [row.chain_head for row in reply.open_records.rows]

    def finish_checkpoint(self) -> operator_pb2.FinishCheckpointReply:
        call = operator_pb2.OperatorCall(finish_checkpoint=operator_pb2.FinishCheckpointCall())
        return self.ask(call).finish_checkpoint

    def commit_vault(self, made: operator_pb2.FinishCheckpointReply) -> None:
        """Let the successor stand."""
        assert made.vault_version == self.desk.vault_version + 1
        self.desk.vault_version, self.desk.vault_sealed = made.vault_version, made.successor_sealed


class DeskConnection:
    """An `OperatorConnection` to an `OperatorDesk`."""

    def __init__(self, operator: OperatorDesk) -> None:
        self._operator = operator

    async def ask(self, call: operator_pb2.OperatorCall, *, reply: str) -> operator_pb2.OperatorReply:
        answer = self._operator.ask(call)
        assert answer.WhichOneof("reply") == reply
        return answer


def store_of(desk: Desk) -> FakeStore:
    """The desk's rows and events as a store has them, at this moment."""
    store = FakeStore()
    store.vault = VaultRow(version=desk.vault_version, sealed=desk.vault_sealed)
    for record_id, row in desk.store.rows.items():
        store.records[record_id] = RecordRow(record_id=record_id, version=row.version, sealed=row.sealed)
        store.events[record_id] = [
            EventRow(record_id=record_id, version=event.version, at=0, sealed=event.sealed)
            for event in reversed(desk.store.events[record_id])
        ]
    return store
