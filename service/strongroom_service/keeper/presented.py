"""The newest row that a keeper was presented for each record: a store that goes back is noticed.

Bounded memory, lost with the process: this detects, checkpoints and clients' memories detect what it forgets
(docs/threat-model.md). All of it is taken at the start: a keeper does not grow with the accounts it serves.

    table = groups of slots, the one presented last first in its group
    slot  = record id (32 bytes) || version (u64) || SHA-256 of the sealed row; all zero: empty, as version 0
"""

from __future__ import annotations

import hashlib
from typing import Final

from strongroom_service.domain.errors import StrongroomError

_ID_BYTES: Final = 32
_VERSION_BYTES: Final = 8
_SLOT_BYTES: Final = _ID_BYTES + _VERSION_BYTES + hashlib.sha256().digest_size
# So many that few groups are full while the table is not; so few that one is searched in no time.
_SLOTS_OF_A_GROUP: Final = 16


class StaleRow(StrongroomError):
    """The row presented is older than one seen, or differs from one seen at the same version."""

    def __init__(self, *, newest_version: int) -> None:
        super().__init__(f"newest version seen is {newest_version}")
        self.newest_version = newest_version


class PresentedRows:
    """For at most `capacity` records: the version and the SHA-256 of the newest row presented.

    A record's group follows from its id, which is a keyed hash; a group that is full forgets what was presented longest
    ago.
    """

    def __init__(self, *, capacity: int) -> None:
        slots = min(_SLOTS_OF_A_GROUP, capacity)
        self._group_bytes = slots * _SLOT_BYTES
        self._groups = capacity // slots
        self._table = bytearray(b"\0" * (self._groups * self._group_bytes))  # written, so that it is really there

    def check(self, record_id: bytes, *, version: int, sealed: bytes) -> None:
        """Refuse a row that goes back. No row counts as version 0 with nothing sealed.

        Raises:
            StaleRow: a newer row was presented before, or another one at this version.
        """
        newest_version, digest = self._newest(record_id)
        if version < newest_version or (version == newest_version > 0 and _digest(sealed) != digest):
            raise StaleRow(newest_version=newest_version)

    def remember(self, record_id: bytes, *, version: int, sealed: bytes) -> None:
        """Remember a row that was checked and has opened; one that does not open must not shut out the real one."""
        if version == 0:
            return
        start, end = self._group(record_id)
        found = self._find(record_id, start, end)
        replaced = end - _SLOT_BYTES if found is None else found
        self._table[start + _SLOT_BYTES : replaced + _SLOT_BYTES] = self._table[start:replaced]
        slot = record_id + version.to_bytes(_VERSION_BYTES, "big") + _digest(sealed)
        self._table[start : start + _SLOT_BYTES] = slot

    def forget(self, record_id: bytes) -> int:
        """Forget what was presented of a record; return the newest version of it, 0 if none was."""
        newest_version, _ = self._newest(record_id)
        start, end = self._group(record_id)
        found = self._find(record_id, start, end)
        if found is not None:
            self._table[found:end] = self._table[found + _SLOT_BYTES : end] + bytes(_SLOT_BYTES)
        return newest_version

    def _newest(self, record_id: bytes) -> tuple[int, bytes]:
        found = self._find(record_id, *self._group(record_id))
        if found is None:
            return 0, b""
        version_at = found + _ID_BYTES
        digest_at = version_at + _VERSION_BYTES
        version = int.from_bytes(self._table[version_at:digest_at], "big")
        return version, bytes(self._table[digest_at : found + _SLOT_BYTES])

    def _group(self, record_id: bytes) -> tuple[int, int]:
        if len(record_id) != _ID_BYTES:
            message = f"a record id is {_ID_BYTES} bytes"
            raise ValueError(message)
        start = int.from_bytes(record_id[:_VERSION_BYTES], "big") % self._groups * self._group_bytes
        return start, start + self._group_bytes

    def _find(self, record_id: bytes, start: int, end: int) -> int | None:
        found = self._table.find(record_id, start, end)
        while found >= 0 and (found - start) % _SLOT_BYTES:  # bytes of two fields that look like an id
            found = self._table.find(record_id, found + 1, end)
        return None if found < 0 else found


def _digest(sealed: bytes) -> bytes:
    return hashlib.sha256(sealed).digest()
