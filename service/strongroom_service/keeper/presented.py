"""The newest row that a keeper was presented for each record: a store that goes back is noticed.

Bounded memory, lost with the process: this detects, checkpoints and clients' memories detect what it forgets
(docs/threat-model.md).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from strongroom_service.domain.errors import StrongroomError

_NO_ROW = (0, b"")


class StaleRow(StrongroomError):
    """The row presented is older than one seen, or differs from one seen at the same version."""

    def __init__(self, *, newest_version: int) -> None:
        super().__init__(f"newest version seen is {newest_version}")
        self.newest_version = newest_version


class PresentedRows:
    """For at most `capacity` records: the version and the SHA-256 of the newest row presented."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._newest: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()

    def check(self, record_id: bytes, *, version: int, sealed: bytes) -> None:
        """Refuse a row that goes back. No row counts as version 0 with nothing sealed.

        Raises:
            StaleRow: a newer row was presented before, or another one at this version.
        """
        newest_version, digest = self._newest.get(record_id, _NO_ROW)
        if version < newest_version or (version == newest_version > 0 and _digest(sealed) != digest):
            raise StaleRow(newest_version=newest_version)

    def remember(self, record_id: bytes, *, version: int, sealed: bytes) -> None:
        """Remember a row that was checked and has opened; one that does not open must not shut out the real one."""
        if version == 0:
            return
        self._newest[record_id] = (version, _digest(sealed))
        self._newest.move_to_end(record_id)
        if len(self._newest) > self._capacity:
            self._newest.popitem(last=False)

    def forget(self, record_id: bytes) -> int:
        """Forget what was presented of a record; return the newest version of it, 0 if none was."""
        newest_version, _ = self._newest.pop(record_id, _NO_ROW)
        return newest_version


def _digest(sealed: bytes) -> bytes:
    return hashlib.sha256(sealed).digest()
