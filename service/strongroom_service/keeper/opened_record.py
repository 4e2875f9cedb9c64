"""Opening the row that a front presents: is it this account's, not older than seen, and what it says it is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.identifiers import RECORD_ID_BYTES, RecordId, record_id_of
from strongroom_service.keeper.unsealing import unseal_own_record

if TYPE_CHECKING:
    from strongroom.keeper.v1 import frames_pb2
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.presented import PresentedRows
    from strongroom_service.keeper.vault_keys import VaultKeys

# Begin, judge and fulfil present the same row, or the one that judging made, within seconds. Usually 5 KiB each.
_REMEMBERED = 256


class RecordOpener:
    """Opens rows with the vault's keys, against the memory of rows presented.

    The newest rows opened are remembered with what was in them, so that the steps of one ceremony open each row once.
    What is remembered is found by record id, version and every sealed byte: the very input of opening, which gives the
    same record each time. A new vault row makes a new opener, so nothing outlives the epochs it was opened under.
    """

    def __init__(self, *, keys: VaultKeys, presented: PresentedRows, remembered: int = _REMEMBERED) -> None:
        self._keys = keys
        self._presented = presented
        self._remembered = remembered
        self._opened: OrderedDict[tuple[bytes, int, bytes], Record] = OrderedDict()

    def record_id(self, tenant: str, account: str) -> RecordId:
        """Return the id under which the account's record must be stored; the front's word does not count."""
        return record_id_of(id_key=self._keys.id_key, tenant=tenant, account=account)

    def open(self, row: frames_pb2.Row | None, *, record_id: RecordId) -> Record | None:
        """Return the record of the account behind `record_id`, or None where no row was presented.

        Raises:
            StaleRow: the row is older than one seen, or another one at the same version.
            RecordRejected: the row is another account's, does not open, or is not what its seal says.
        """
        if row is None:
            self._presented.check(record_id, version=0, sealed=b"")
            return None
        if row.record_id != record_id:
            message = "the row presented is not this account's"
            raise RecordRejected(message)
        return self._open(row, record_id=record_id)

    def open_unasked(self, row: frames_pb2.Row) -> tuple[RecordId, Record]:
        """Return the record in a row that nobody's token is about, and its id. Raises as `open`."""
        if len(row.record_id) != RECORD_ID_BYTES:
            message = "a row has no record id"
            raise RecordRejected(message)
        record_id = RecordId(row.record_id)
        return record_id, self._open(row, record_id=record_id)

    def _open(self, row: frames_pb2.Row, *, record_id: RecordId) -> Record:
        if row.version < 1:
            message = "a row has no version"
            raise RecordRejected(message)
        self._presented.check(record_id, version=row.version, sealed=row.sealed)
        record = self._opened.get((record_id, row.version, row.sealed)) or unseal_own_record(self._keys, row)
        self._presented.remember(record_id, version=row.version, sealed=row.sealed)
        self.expect(record, record_id=record_id, sealed=row.sealed)
        return record

    def expect(self, record: Record, *, record_id: RecordId, sealed: bytes) -> None:
        """Remember what is in `sealed`: it may be presented soon. It does not count as presented by that."""
        key = (record_id, record.version, sealed)
        self._opened[key] = record
        self._opened.move_to_end(key)
        if len(self._opened) > self._remembered:
            self._opened.popitem(last=False)
