"""What the keeper says of an export of events: a tally over all it gave out, signed at the end.

    tally(0) = 32 zeros
    tally(n) = H("strongroom/v1/export-record", tally(n-1), record id, version, tenant, account, chain head)
             | H("strongroom/v1/export-event", tally(n-1), record id, version, SHA-256(sealed), previous head, event)
    signed   = H("strongroom/v1/export", tally, records, events, made at)

The tally stands beside each line of the file, so that the first line that was changed is the first where it differs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.records import Record

_RECORD_LABEL = "strongroom/v1/export-record"
_EVENT_LABEL = "strongroom/v1/export-event"
_LABEL = "strongroom/v1/export"


class ExportTally:
    """Counts what one export gives out.

    Attributes:
        value: the tally so far, 32 bytes.
        records, events: how many.
    """

    def __init__(self) -> None:
        self.value = bytes(32)
        self.records = 0
        self.events = 0

    def add_record(self, record: Record, *, record_id: bytes) -> bytes:
        """Count a record; return the tally."""
        tenant, account = record.tenant.encode(), record.account.encode()
        self.value = hash_fields(
            _RECORD_LABEL, self.value, record_id, record.version, tenant, account, record.chain_head
        )
        self.records += 1
        return self.value

    def add_event(
        self, content: bytes, *, record_id: bytes, version: int, sealed: bytes, previous_head: bytes
    ) -> bytes:
        """Count an event, whose serialized form is `content`; return the tally."""
        digest = hashlib.sha256(sealed).digest()
        self.value = hash_fields(_EVENT_LABEL, self.value, record_id, version, digest, previous_head, content)
        self.events += 1
        return self.value

    def end_digest(self, *, made_at: Millis) -> bytes:
        """Return what is signed at the end."""
        return hash_fields(_LABEL, self.value, self.records, self.events, made_at)
