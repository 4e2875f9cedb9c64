"""Exporting every history out of its seals, as lines of JSON on which anybody can check who signed for what.

    {"strongroom_export": 1}
    {"record": id, "version": ..., "tenant": ..., "account": ..., "chain_head": ..., "tally": ..., "base": ...}
    {"event": version, "previous_head": ..., "sealed": base64, "content": base64, "tally": ...}       oldest first
    {"end": {"made_at": ..., "records": ..., "events": ..., "identity_public_key": ..., "signature": ...}}

`base` is the version of the newest event that is gone for its age, 0 if none is. Bytes are hex where nothing else is
said; `content` is a serialized strongroom.v1.Event.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import RecordRejected

if TYPE_CHECKING:
    from strongroom_service.application.evidence import ExportEnd, ExportKeeper
    from strongroom_service.application.rows import RecordRow
    from strongroom_service.application.stores import HistoryScan

Write = Callable[[str], object]

_IDS_AT_ONCE: Final = 256
_EVENTS_AT_ONCE: Final = 16


async def export_histories(scan: HistoryScan, *, keeper: ExportKeeper, write: Write) -> ExportEnd:
    """Write every record and its events, each as it is at its turn; `write` gets a line at a time.

    Raises:
        RecordRejected: a row or event does not open or is missing: verify them first. What was written has no end.
    """
    write(_line({"strongroom_export": 1}))
    after = b""
    while record_ids := await scan.scan_record_ids(after=after, limit=_IDS_AT_ONCE):
        for record_id in record_ids:
            row = await scan.load_record(record_id)
            if row is None:
                raise RecordRejected(f"record {record_id.hex()} has events and no row")
            await _export_record(scan, row, keeper=keeper, write=write)
        after = record_ids[-1]
    end = await keeper.finish_export()
    members = {
        "made_at": end.made_at,
        "records": end.records,
        "events": end.events,
        "identity_public_key": end.identity_public_key.hex(),
        "signature": end.signature.hex(),
    }
    write(_line({"end": members}))
    return end


async def _export_record(scan: HistoryScan, row: RecordRow, *, keeper: ExportKeeper, write: Write) -> None:
    record = await keeper.export_record(row)
    base = await scan.load_base(row.record_id)
    after_version = 0 if base is None else base.version
    line = {
        "record": row.record_id.hex(),
        "version": row.version,
        "tenant": record.tenant,
        "account": record.account,
        "chain_head": record.chain_head.hex(),
        "tally": record.tally.hex(),
        "base": after_version,
    }
    write(_line(line))
    while after_version < row.version:
        limit = min(_EVENTS_AT_ONCE, row.version - after_version)
        events = await scan.scan_events(row.record_id, after_version=after_version, limit=limit)
        if [event.version for event in events] != [after_version + each for each in range(1, limit + 1)]:
            raise RecordRejected(f"record {row.record_id.hex()} lacks events after version {after_version}")
        for event, exported in zip(events, await keeper.export_events(events), strict=True):
            members = {
                "event": event.version,
                "previous_head": exported.previous_head.hex(),
                "sealed": base64.b64encode(event.sealed).decode(),
                "content": base64.b64encode(exported.content).decode(),
                "tally": exported.tally.hex(),
            }
            write(_line(members))
        after_version = events[-1].version


def _line(members: object) -> str:
    return json.dumps(members) + "\n"
