"""Sealed rows and events out of their seals, under the epochs that may still open them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.keeper.formats.event_codec import OpenedEvent, decode_event
from strongroom_service.keeper.formats.record_codec import decode_record
from strongroom_service.keeper.formats.sealing import Kind, OneTimeKey, derive_one_time_key, parse_header

if TYPE_CHECKING:
    from strongroom.keeper.v1 import frames_pb2
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.vault_keys import VaultKeys


def unseal_record(keys: VaultKeys, row: frames_pb2.Row) -> Record:
    """Return the record that is sealed in `row`.

    Raises:
        RecordRejected: it does not open as this record at this version.
    """
    header = parse_header(row.sealed)
    if not keys.may_open_records(header.epoch):
        message = f"a record is sealed under epoch {header.epoch}, which is not in use"
        raise RecordRejected(message)
    key = derive_one_time_key(keys.token, header)
    return decode_record(key.open(Kind.RECORD, record_id=row.record_id, version=row.version, sealed=row.sealed))


def unseal_own_record(keys: VaultKeys, row: frames_pb2.Row) -> Record:
    """Return the record in `row`, which nobody has asked for by a token: it must itself say whose it is.

    Raises:
        RecordRejected: it does not open, or is stored under an id or version that is not its own.
    """
    record = unseal_record(keys, row)
    own = record_id_of(id_key=keys.id_key, tenant=record.tenant, account=record.account)
    if (own, record.version) != (row.record_id, row.version):
        message = "an opened record names another account or version than its row"
        raise RecordRejected(message)
    return record


def unseal_event(keys: VaultKeys, event: frames_pb2.EventRow, *, record_id: bytes) -> OpenedEvent:
    """Return the event that is sealed in `event`, of the record with this id.

    Raises:
        RecordRejected: it does not open as an event of this record and version.
    """
    key = event_key(keys, event.sealed)
    return decode_event(key.open(Kind.EVENT, record_id=record_id, version=event.version, sealed=event.sealed))


def event_key(keys: VaultKeys, sealed: bytes) -> OneTimeKey:
    """Return the key of a sealed event.

    Raises:
        RecordRejected: it is no sealed form, or of an epoch that opens no events.
    """
    header = parse_header(sealed)
    if not keys.may_open_events(header.epoch):
        message = f"an event is sealed under epoch {header.epoch}, which is not in use"
        raise RecordRejected(message)
    return derive_one_time_key(keys.token, header)
