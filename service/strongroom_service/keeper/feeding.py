"""A tenant's feed: what happened to its accounts, out of the one sequence of all commits.

Rows do not say whose they are, so that who reads the database learns of no tenant: the keeper opens each event and
passes on those of the tenant that asks. The sequence is the front's word: a front that leaves out commits can leave
out events here too (docs/threat-model.md); the accounts' own histories are chained.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import tenant_service_pb2
from strongroom_service.domain.errors import InvalidField, RecordRejected
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.keeper.answers import SignedAnswer, sign_answer
from strongroom_service.keeper.formats.feed_cursor import make_cursor, read_cursor
from strongroom_service.keeper.formats.receipt import ReceiptFor
from strongroom_service.keeper.unsealing import unseal_event

if TYPE_CHECKING:
    from strongroom.v1 import event_pb2
    from strongroom_service.config.tenant_file import Tenant
    from strongroom_service.keeper.formats.event_codec import OpenedEvent
    from strongroom_service.keeper.vault_keys import VaultKeys
    from strongroom_service.keeper.visits import Log

MAX_ROWS = 256


@dataclass(frozen=True, slots=True)
class Feeder:
    """Answers tenants about their accounts. An event that does not open is counted and logged."""

    keys: VaultKeys
    log: Log

    def list_tenant_events(self, tenant: Tenant, call: frames_pb2.ListTenantEventsCall) -> SignedAnswer:
        """Return a signed page of the tenant's feed: those of the rows presented that are its own.

        Raises:
            InvalidField: the cursor is not this tenant's, or there are too many rows.
            RecordRejected: a row is not where the sequence goes on, or an event names another account than its row.
        """
        position = read_cursor(call.cursor, tenant=tenant.name, keys=self.keys.ceremony_keys) if call.cursor else 0
        if len(call.events) > MAX_ROWS:
            raise InvalidField(field="events", rule=f"must be at most {MAX_ROWS}")
        reply = tenant_service_pb2.ListTenantEventsReply(tenant=tenant.name, more=call.more)
        for row in call.events:
            if row.position <= position:
                message = "the sequence of commits does not rise"
                raise RecordRejected(message)
            position = row.position
            opened = self._open(row)
            if opened is None:
                # Whose it is, nobody knows; and one tenant's damage must not keep the others from their feeds.
                reply.unreadable += 1
                self.log.error("feed_event_rejected", position=row.position, version=row.version)
                continue
            if opened.tenant == tenant.name:
                reply.events.append(self._event(row, opened.account, opened.event, tenant=tenant))
        reply.next_cursor = make_cursor(position, tenant=tenant.name, key=self.keys.ceremony_key)
        return sign_answer(self.keys, ReceiptFor.LIST_TENANT_EVENTS, call.nonce, reply, record=None)

    def _open(self, row: frames_pb2.FeedRow) -> OpenedEvent | None:
        event = frames_pb2.EventRow(version=row.version, sealed=row.sealed)
        with contextlib.suppress(RecordRejected):
            return unseal_event(self.keys, event, record_id=row.record_id)
        return None

    def _event(
        self, row: frames_pb2.FeedRow, account: str, event: event_pb2.Event, *, tenant: Tenant
    ) -> tenant_service_pb2.TenantEvent:
        if record_id_of(id_key=self.keys.id_key, tenant=tenant.name, account=account) != row.record_id:
            message = "an opened event names another account than its row"
            raise RecordRejected(message)
        return tenant_service_pb2.TenantEvent(
            account=account,
            version=event.version,
            event_time=event.event_time,
            kind=event.kind,
            outcome=event.outcome,
            reason=event.reason,
            failures=event.failures,
            about_set_aside=event.about_set_aside,
            swept=event.swept,
            erase_time=event.erase_time if event.HasField("erase_time") else None,
        )
