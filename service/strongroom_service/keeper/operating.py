"""The keeper's answers to operators' commands: it opens what is stored, and signs what it has opened itself.

Each connection has a handler of its own, which holds what its checkpoint or export has taken so far. A call takes a few
rows or events at a time, so that the front's calls wait for milliseconds only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom_service.domain.checkpoints import BrokenCheckpoint, CheckpointHead, Leaf, LeafTree
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Fault, Misconfigured, RecordRejected, TokenFault
from strongroom_service.keeper.formats.checkpoint import sign_checkpoint
from strongroom_service.keeper.formats.export import ExportTally
from strongroom_service.keeper.formats.sealing import Kind
from strongroom_service.keeper.key_desk import CALLS as KEY_CALLS
from strongroom_service.keeper.key_desk import KeyDesk
from strongroom_service.keeper.presented import StaleRow
from strongroom_service.keeper.unsealing import event_key, unseal_event, unseal_own_record
from strongroom_service.keeper.vault_keys import keep_checkpoint, keep_horizon

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.domain.clock import Clock
    from strongroom_service.keeper.handler import KeeperHandler
    from strongroom_service.keeper.visits import Log

MOST_PLACES = 1024


class OperatorHandler:
    """Answers one command's calls."""

    def __init__(
        self, *, keeper: KeeperHandler, clock: Clock, random: Callable[[int], bytes], spread_ms: int, log: Log
    ) -> None:
        """`keeper` holds the token session and the vault's keys; what a command finds wrong with them, it is told.

        `spread_ms` as in `KeyDesk`.
        """
        self._keeper = keeper
        self._clock = clock
        self._random = random
        self._log = log
        self._key_desk = KeyDesk(keeper=keeper, clock=clock, random=random, spread_ms=spread_ms, log=log)
        self._leaves = LeafTree()
        self._tally = ExportTally()
        self._exported = b""

    def handle(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        """Answer `call`."""
        try:
            mine = call.WhichOneof("call") not in KEY_CALLS
            return self._answer(call) if mine else self._key_desk.answer(call)
        except Fault as fault:
            if isinstance(fault, TokenFault):
                self._keeper.spend()
            self._log.error("operator_fault", kind=type(fault).__name__, why=str(fault))
            return _fault(type(fault).__name__, str(fault))
        except BrokenCheckpoint as broken:
            return _fault(RecordRejected.__name__, str(broken))

    def _answer(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        match call.WhichOneof("call"):
            case "open_vault":
                return self._open_vault(call.open_vault)
            case "open_records" | "open_events" | "find_place":
                return self._look(call)
            case "sweep":
                return operator_pb2.OperatorReply(sweep=self._sweep(call.sweep.row))
            case "accept_older":
                return operator_pb2.OperatorReply(accept_older=self._accept_older(call.accept_older.row))
            case "checkpoint_rows" | "finish_checkpoint" | "set_horizon":
                return self._for_vault_row(call)
            case _:
                return self._export(call)

    def _for_vault_row(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        """Answer what leads to another row of the vault."""
        if call.HasField("checkpoint_rows"):
            opened = [self._add_leaf(row) for row in call.checkpoint_rows.rows]
            return operator_pb2.OperatorReply(open_records=operator_pb2.OpenRecordsReply(rows=opened))
        if call.HasField("finish_checkpoint"):
            return operator_pb2.OperatorReply(finish_checkpoint=self._finish_checkpoint())
        return operator_pb2.OperatorReply(set_horizon=self._set_horizon(Millis(call.set_horizon.horizon)))

    def _look(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        """Answer what changes and signs nothing."""
        if call.HasField("open_records"):
            rows = [self._look_at(row) for row in call.open_records.rows]
            return operator_pb2.OperatorReply(open_records=operator_pb2.OpenRecordsReply(rows=rows))
        if call.HasField("open_events"):
            events = [self._look_into(each, call.open_events.record_id) for each in call.open_events.events]
            return operator_pb2.OperatorReply(open_events=operator_pb2.OpenEventsReply(events=events))
        return operator_pb2.OperatorReply(find_place=self._find_place(call.find_place))

    def _export(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        match call.WhichOneof("call"):
            case "export_record":
                return operator_pb2.OperatorReply(export_record=self._export_record(call.export_record.row))
            case "export_events":
                events = [self._export_event(event) for event in call.export_events.events]
                return operator_pb2.OperatorReply(export_events=operator_pb2.ExportEventsReply(events=events))
            case "finish_export":
                return operator_pb2.OperatorReply(finish_export=self._finish_export())
            case _:
                message = "a call that this release does not know"
                raise Misconfigured(message)

    def _open_vault(self, call: frames_pb2.OpenVaultCall) -> operator_pb2.OperatorReply:
        reply = self._keeper.handle(frames_pb2.KeeperCall(open_vault=call))
        if reply.HasField("stale"):
            return operator_pb2.OperatorReply(stale=reply.stale)
        if not reply.HasField("open_vault"):
            return operator_pb2.OperatorReply(fault=reply.fault)
        contents = self._keeper.keys.contents
        standing = operator_pb2.VaultStandingReply(
            checkpoint_serial=contents.checkpoint_serial,
            checkpoint_sha256=contents.checkpoint_sha256,
            checkpoint_at=contents.checkpoint_at,
            keeper_time=self._clock.now(),
            events_horizon=contents.events_horizon,
        )
        return operator_pb2.OperatorReply(vault_standing=standing)

    def _look_at(self, row: frames_pb2.Row) -> operator_pb2.OpenedRow:
        try:
            record = unseal_own_record(self._keeper.keys, row)
        except RecordRejected:
            return operator_pb2.OpenedRow(opened=False)
        return operator_pb2.OpenedRow(opened=True, chain_head=record.chain_head)

    def _look_into(self, event: frames_pb2.EventRow, record_id: bytes) -> operator_pb2.OpenedEventRow:
        try:
            opened = unseal_event(self._keeper.keys, event, record_id=record_id)
        except RecordRejected:
            return operator_pb2.OpenedEventRow(opened=False)
        at = opened.event.event_time.ToMilliseconds()
        return operator_pb2.OpenedEventRow(opened=True, previous_head=opened.previous_head, at=at)

    def _find_place(self, call: operator_pb2.FindPlaceCall) -> operator_pb2.FindPlaceReply:
        try:
            key = event_key(self._keeper.keys, call.sealed)
        except RecordRejected:
            return operator_pb2.FindPlaceReply()
        for place in call.places[:MOST_PLACES]:
            try:
                key.open(Kind.EVENT, record_id=place.record_id, version=place.version, sealed=call.sealed)
            except RecordRejected:
                continue
            return operator_pb2.FindPlaceReply(place=place)
        return operator_pb2.FindPlaceReply()

    def _sweep(self, row: frames_pb2.Row) -> operator_pb2.SweepReply:
        try:
            change = self._keeper.sweep(row)
        except StaleRow:
            return operator_pb2.SweepReply(moved_on=True)
        return operator_pb2.SweepReply(commit=change)

    def _add_leaf(self, row: frames_pb2.Row) -> operator_pb2.OpenedRow:
        record = unseal_own_record(self._keeper.keys, row)
        self._leaves.add(Leaf(row.record_id, record.version, record.chain_head))
        return operator_pb2.OpenedRow(opened=True, chain_head=record.chain_head)

    def _finish_checkpoint(self) -> operator_pb2.FinishCheckpointReply:
        keys = self._keeper.keys
        head = CheckpointHead(
            serial=keys.contents.checkpoint_serial + 1,
            made_at=self._clock.now(),
            vault_version=keys.contents.version + 1,
            leaves=self._leaves.leaves,
            root=self._leaves.root,
            previous_sha256=keys.contents.checkpoint_sha256,
        )
        signed = sign_checkpoint(keys.token, head, epoch=keys.identity_epoch)
        self._log.info("checkpoint_signed", serial=head.serial, leaves=head.leaves)
        return operator_pb2.FinishCheckpointReply(
            serial=head.serial,
            made_at=head.made_at,
            vault_version=head.vault_version,
            leaves=head.leaves,
            root=head.root,
            previous_sha256=head.previous_sha256,
            identity_public_key=signed.identity_public_key,
            signature=signed.signature,
            successor_sealed=keep_checkpoint(keys, head, random=self._random),
        )

    def _accept_older(self, row: frames_pb2.Row) -> operator_pb2.AcceptOlderReply:
        unseal_own_record(self._keeper.keys, row)  # what does not open is accepted by nobody
        newest_version = self._keeper.forget_presented(row.record_id)
        self._log.error(
            "older_row_accepted", record=row.record_id.hex(), version=row.version, newest_version=newest_version
        )
        return operator_pb2.AcceptOlderReply(newest_version=newest_version)

    def _set_horizon(self, horizon: Millis) -> operator_pb2.SetHorizonReply:
        keys = self._keeper.keys
        successor = keep_horizon(keys, horizon, random=self._random)
        self._log.info("horizon_set", horizon=horizon)
        return operator_pb2.SetHorizonReply(vault_version=keys.contents.version + 1, successor_sealed=successor)

    def _export_record(self, row: frames_pb2.Row) -> operator_pb2.ExportRecordReply:
        record = unseal_own_record(self._keeper.keys, row)
        self._exported = row.record_id
        return operator_pb2.ExportRecordReply(
            tenant=record.tenant,
            account=record.account,
            chain_head=record.chain_head,
            tally=self._tally.add_record(record, record_id=row.record_id),
        )

    def _export_event(self, event: frames_pb2.EventRow) -> operator_pb2.ExportedEvent:
        opened = unseal_event(self._keeper.keys, event, record_id=self._exported)
        content = opened.event.SerializeToString(deterministic=True)
        tally = self._tally.add_event(
            content,
            record_id=self._exported,
            version=event.version,
            sealed=event.sealed,
            previous_head=opened.previous_head,
        )
        return operator_pb2.ExportedEvent(previous_head=opened.previous_head, content=content, tally=tally)

    def _finish_export(self) -> operator_pb2.FinishExportReply:
        keys, made_at = self._keeper.keys, self._clock.now()
        self._log.info("export_signed", records=self._tally.records, events=self._tally.events)
        return operator_pb2.FinishExportReply(
            made_at=made_at,
            records=self._tally.records,
            events=self._tally.events,
            identity_public_key=keys.token.identity_public_key(epoch=keys.identity_epoch),
            signature=keys.token.sign(epoch=keys.identity_epoch, digest=self._tally.end_digest(made_at=made_at)),
        )


def _fault(kind: str, detail: str) -> operator_pb2.OperatorReply:
    return operator_pb2.OperatorReply(fault=frames_pb2.FaultReply(kind=kind, detail=detail))
