"""A keeper on its operators' side: implements `application.evidence`'s ports over one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom_service.application.evidence import (
    ExportedEvent,
    ExportedRecord,
    ExportEnd,
    MadeCheckpoint,
    Place,
    VaultStanding,
)
from strongroom_service.application.rewrap import Unwrapped
from strongroom_service.application.rows import Change, EventRow, RecordRow, VaultRow
from strongroom_service.application.sweep import Unswept
from strongroom_service.domain.chains import Look, Opened, Strange
from strongroom_service.domain.checkpoints import CheckpointHead, Leaf, SignedCheckpoint
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Fault
from strongroom_service.link import key_replies, replies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom_service.application.keys import KeyRing, KeyStep

RowT = TypeVar("RowT", RecordRow, EventRow)
AnswerT = TypeVar("AnswerT")

# Half of a frame; what a keeper does with that takes milliseconds.
_MOST_BYTES: Final = 128 * 1024
_MOST_ROWS: Final = 16
_MOST_PLACES: Final = 1024


class Connection(Protocol):
    """What `OperatorConnection` is to this module."""

    async def ask(self, call: operator_pb2.OperatorCall, *, reply: str) -> operator_pb2.OperatorReply:
        """See `OperatorConnection.ask`."""


class OperatorKeeper:
    """Small calls: others wait for a keeper while it works for us."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open_vault(self, row: VaultRow) -> VaultStanding:
        """See `CheckpointKeeper.open_vault`; the first call of a connection."""
        opening = frames_pb2.OpenVaultCall(version=row.version, sealed=row.sealed)
        call = operator_pb2.OperatorCall(open_vault=opening)
        standing = (await self._connection.ask(call, reply="vault_standing")).vault_standing
        return VaultStanding(
            serial=standing.checkpoint_serial,
            digest=standing.checkpoint_sha256,
            made_at=Millis(standing.checkpoint_at),
            now=Millis(standing.keeper_time),
            horizon=Millis(standing.events_horizon),
        )

    async def chain_head_of(self, row: RecordRow) -> bytes | None:
        """See `EvidenceKeeper.chain_head_of`."""
        call = operator_pb2.OperatorCall(open_records=operator_pb2.OpenRecordsCall(rows=[_row(row)]))
        (opened,) = _as_many((await self._connection.ask(call, reply="open_records")).open_records.rows, 1)
        return opened.chain_head if opened.opened else None

    async def look_at(self, events: Sequence[EventRow]) -> tuple[Look, ...]:
        """See `EvidenceKeeper.look_at`."""
        looks: list[Look] = []
        for part in _parts(events):
            asked = operator_pb2.OpenEventsCall(record_id=part[0].record_id, events=map(_event, part))
            reply = await self._connection.ask(operator_pb2.OperatorCall(open_events=asked), reply="open_events")
            looks += (
                Opened(each.previous_head, Millis(each.at)) if each.opened else Strange()
                for each in _as_many(reply.open_events.events, len(part))
            )
        return tuple(looks)

    async def place_of(self, sealed: bytes, places: Sequence[Place]) -> Place | None:
        """See `EvidenceKeeper.place_of`."""
        asked = operator_pb2.FindPlaceCall(
            sealed=sealed,
            places=(
                operator_pb2.EventPlace(record_id=place.record_id, version=place.version)
                for place in places[:_MOST_PLACES]
            ),
        )
        found = (await self._connection.ask(operator_pb2.OperatorCall(find_place=asked), reply="find_place")).find_place
        return Place(found.place.record_id, found.place.version) if found.HasField("place") else None

    async def sweep(self, row: RecordRow) -> Change | Unswept:
        """See `SweepKeeper.sweep`."""
        call = operator_pb2.OperatorCall(sweep=operator_pb2.SweepCall(row=_row(row)))
        swept = (await self._connection.ask(call, reply="sweep")).sweep
        if swept.HasField("commit"):
            return replies.commit_order(swept.commit).change
        return Unswept.MOVED_ON if swept.moved_on else Unswept.NOTHING_DUE

    async def list_keys(self) -> KeyRing:
        """See `KeyKeeper.list_keys`."""
        call = operator_pb2.OperatorCall(list_keys=operator_pb2.ListKeysCall())
        return key_replies.key_ring((await self._connection.ask(call, reply="list_keys")).list_keys)

    async def change_key(self, step: KeyStep) -> VaultRow:
        """See `KeyKeeper.change_key`."""
        call = operator_pb2.OperatorCall(change_key=key_replies.change_call(step))
        made = (await self._connection.ask(call, reply="change_key")).change_key
        return VaultRow(version=made.vault_version, sealed=made.successor_sealed)

    async def survey(self, rows: Sequence[RecordRow]) -> int:
        """See `KeyKeeper.survey`."""
        seen = 0
        for part in _parts(rows):
            asked = operator_pb2.SurveyCall(rows=map(_row, part))
            reply = await self._connection.ask(operator_pb2.OperatorCall(survey=asked), reply="survey")
            seen = reply.survey.rows
        return seen

    async def rewrap(self, row: RecordRow, *, chain_head: bytes) -> Change | Unwrapped:
        """See `RewrapKeeper.rewrap`."""
        call = operator_pb2.OperatorCall(rewrap=operator_pb2.RewrapCall(row=_row(row), chain_head=chain_head))
        rewrapped = (await self._connection.ask(call, reply="rewrap")).rewrap
        if rewrapped.HasField("commit"):
            return replies.commit_order(rewrapped.commit).change
        return Unwrapped.MOVED_ON if rewrapped.moved_on else Unwrapped.UP_TO_DATE

    async def add_leaves(self, rows: Sequence[RecordRow]) -> tuple[Leaf, ...]:
        """See `CheckpointKeeper.add_leaves`."""
        leaves: list[Leaf] = []
        for part in _parts(rows):
            asked = operator_pb2.CheckpointRowsCall(rows=map(_row, part))
            reply = await self._connection.ask(operator_pb2.OperatorCall(checkpoint_rows=asked), reply="open_records")
            opened = _as_many(reply.open_records.rows, len(part))
            leaves += (
                Leaf(row.record_id, row.version, each.chain_head) for row, each in zip(part, opened, strict=True)
            )
        return tuple(leaves)

    async def finish_checkpoint(self) -> MadeCheckpoint:
        """See `CheckpointKeeper.finish_checkpoint`."""
        call = operator_pb2.OperatorCall(finish_checkpoint=operator_pb2.FinishCheckpointCall())
        made = (await self._connection.ask(call, reply="finish_checkpoint")).finish_checkpoint
        head = CheckpointHead(
            serial=made.serial,
            made_at=Millis(made.made_at),
            vault_version=made.vault_version,
            leaves=made.leaves,
            root=made.root,
            previous_sha256=made.previous_sha256,
        )
        return MadeCheckpoint(
            signed=SignedCheckpoint(head=head, identity_public_key=made.identity_public_key, signature=made.signature),
            successor=VaultRow(version=made.vault_version, sealed=made.successor_sealed),
        )

    async def accept_older(self, row: RecordRow) -> int:
        """Have the keeper forget newer rows of this record than `row`; return the newest version it was presented.

        Raises:
            RecordRejected: the row does not open.
        """
        call = operator_pb2.OperatorCall(accept_older=operator_pb2.AcceptOlderCall(row=_row(row)))
        return (await self._connection.ask(call, reply="accept_older")).accept_older.newest_version

    async def set_horizon(self, horizon: Millis) -> VaultRow:
        """Return the vault's row, to be committed, by which events of `horizon` and before may be gone."""
        call = operator_pb2.OperatorCall(set_horizon=operator_pb2.SetHorizonCall(horizon=horizon))
        made = (await self._connection.ask(call, reply="set_horizon")).set_horizon
        return VaultRow(version=made.vault_version, sealed=made.successor_sealed)

    async def export_record(self, row: RecordRow) -> ExportedRecord:
        """See `ExportKeeper.export_record`."""
        call = operator_pb2.OperatorCall(export_record=operator_pb2.ExportRecordCall(row=_row(row)))
        given = (await self._connection.ask(call, reply="export_record")).export_record
        return ExportedRecord(
            tenant=given.tenant, account=given.account, chain_head=given.chain_head, tally=given.tally
        )

    async def export_events(self, events: Sequence[EventRow]) -> tuple[ExportedEvent, ...]:
        """See `ExportKeeper.export_events`."""
        exported: list[ExportedEvent] = []
        for part in _parts(events):
            asked = operator_pb2.ExportEventsCall(events=map(_event, part))
            reply = await self._connection.ask(operator_pb2.OperatorCall(export_events=asked), reply="export_events")
            exported += (
                ExportedEvent(previous_head=each.previous_head, content=each.content, tally=each.tally)
                for each in _as_many(reply.export_events.events, len(part))
            )
        return tuple(exported)

    async def finish_export(self) -> ExportEnd:
        """See `ExportKeeper.finish_export`."""
        call = operator_pb2.OperatorCall(finish_export=operator_pb2.FinishExportCall())
        end = (await self._connection.ask(call, reply="finish_export")).finish_export
        return ExportEnd(
            made_at=Millis(end.made_at),
            records=end.records,
            events=end.events,
            identity_public_key=end.identity_public_key,
            signature=end.signature,
        )


def _row(row: RecordRow) -> frames_pb2.Row:
    return frames_pb2.Row(record_id=row.record_id, version=row.version, sealed=row.sealed)


def _event(event: EventRow) -> frames_pb2.EventRow:
    return frames_pb2.EventRow(version=event.version, sealed=event.sealed)


def _parts(rows: Sequence[RowT]) -> Iterator[Sequence[RowT]]:
    """Cut `rows` so that each part and its answer fit a frame."""
    part: list[RowT] = []
    size = 0
    for row in rows:
        if part and (len(part) == _MOST_ROWS or size + len(row.sealed) > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row.sealed)
    if part:
        yield part


def _as_many(answers: Sequence[AnswerT], count: int) -> Sequence[AnswerT]:
    if len(answers) != count:
        raise Fault(f"keeper gave {len(answers)} answers where {count} were asked for")
    return answers
