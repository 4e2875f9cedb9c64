"""Describing: signed answers about the service, a record and its history, over a nonce of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_service.domain.attempts import attempts_left, is_exhausted, releases_left
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.records import GENESIS_HEAD, VaultState, head_of, next_head, version_of
from strongroom_service.keeper.answers import SignedAnswer, sign_answer
from strongroom_service.keeper.formats.enums import MODES, STATES
from strongroom_service.keeper.formats.page_token import PageStart, make_page_token, read_page_token
from strongroom_service.keeper.formats.receipt import ReceiptFor
from strongroom_service.keeper.formats.record_codec import policy_message
from strongroom_service.keeper.formats.statement import optional_timestamp_of, timestamp_of
from strongroom_service.keeper.formats.wrapping import MAX_ENVELOPE_BYTES
from strongroom_service.keeper.unsealing import unseal_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.keeper.v1 import frames_pb2
    from strongroom_service.config.tenant_file import Tenant
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.credentials import Credential
    from strongroom_service.domain.records import Archive, Record, SetAside
    from strongroom_service.keeper.case import Case
    from strongroom_service.keeper.vault_keys import VaultKeys

MAX_PAGE_BYTES = 48 * 1024


@dataclass(frozen=True, slots=True)
class Describer:
    """Answers questions that change nothing."""

    keys: VaultKeys

    def describe_service(self, tenant: Tenant, nonce: bytes, *, now: Millis) -> SignedAnswer:
        """Return the signed ServiceInfoReply of the caller's tenant."""
        reply = vault_service_pb2.ServiceInfoReply(
            tenant=tenant.name,
            rp_id=tenant.assertion_policy.rp_id,
            origins=sorted(tenant.assertion_policy.origins),
            algorithms=tenant.assertion_policy.algorithms,
            max_envelope_bytes=MAX_ENVELOPE_BYTES,
            policy=policy_message(tenant.policy),
            key_bundle=self.keys.contents.key_bundle,
            keeper_time=timestamp_of(now),
            development=tenant.development,
        )
        return sign_answer(self.keys, ReceiptFor.GET_SERVICE_INFO, nonce, reply, record=None)

    def describe_record(self, case: Case, nonce: bytes) -> SignedAnswer:
        """Return the signed VaultReply of the caller's record."""
        reply = vault_service_pb2.VaultReply(tenant=case.identity.tenant, account=case.identity.account)
        if case.record is None:
            reply.state = resources_pb2.VAULT_STATE_NONE
        else:
            _fill_vault_reply(reply, case.record, now=case.now)
        return sign_answer(self.keys, ReceiptFor.GET_VAULT, nonce, reply, record=case.record)

    def list_events(
        self, case: Case, nonce: bytes, *, page_token: bytes, rows: Sequence[frames_pb2.EventRow], oldest: bool
    ) -> SignedAnswer:
        """Return a signed page of history, checked gapless against the record's chain.

        It ends at the genesis or, where the store has no older ones (`oldest`), at an event of a time that events need
        not be kept from: what is gone before it is older still.

        Raises:
            InvalidField: the page token is not of this account.
            RecordRejected: an event is missing, altered, of another record, or not in the chain.
        """
        start = PageStart(version=version_of(case.record), chain_head=head_of(case.record))
        if page_token:
            start = read_page_token(page_token, record_id=case.record_id, keys=self.keys.ceremony_keys)
        reply = vault_service_pb2.ListEventsReply(tenant=case.identity.tenant, account=case.identity.account)
        end = self._walk(case, start, rows, reply)
        all_read = len(reply.events) == len(rows)
        if end.version > 0 and oldest and all_read and self._may_be_the_first(reply.events[-1]):
            reply.first_version = end.version + 1
        elif end.version > 0:
            reply.next_page_token = make_page_token(end, record_id=case.record_id, key=self.keys.ceremony_key)
        return sign_answer(self.keys, ReceiptFor.LIST_EVENTS, nonce, reply, record=case.record)

    def _may_be_the_first(self, event: event_pb2.Event) -> bool:
        """Tell whether those before it may be gone."""
        return event.event_time.ToMilliseconds() <= self.keys.contents.events_horizon

    def _walk(
        self,
        case: Case,
        start: PageStart,
        rows: Sequence[frames_pb2.EventRow],
        reply: vault_service_pb2.ListEventsReply,
    ) -> PageStart:
        """Fill `reply` from `start` backwards along the chain; return where the next page begins."""
        version, head, size = start.version, start.chain_head, 0
        for row in rows:
            opened = unseal_event(self.keys, row, record_id=case.record_id)
            if row.version != version or next_head(opened.previous_head, row.sealed) != head:
                message = f"the history does not continue at version {version}"
                raise RecordRejected(message)
            event = event_pb2.Event()
            event.CopyFrom(opened.event)
            event.chain_head = head
            size += event.ByteSize()
            if reply.events and size > MAX_PAGE_BYTES:
                break
            reply.events.append(event)
            version, head = version - 1, opened.previous_head
        if version > 0 and not reply.events:
            message = f"the history has no event at version {version}"
            raise RecordRejected(message)
        if version == 0 and head != GENESIS_HEAD:
            message = "the history does not begin at its genesis"
            raise RecordRejected(message)
        return PageStart(version=version, chain_head=head)


def _fill_vault_reply(reply: vault_service_pb2.VaultReply, record: Record, *, now: Millis) -> None:
    reply.state = STATES[record.state]
    reply.credentials.extend(_credential(credential) for credential in record.credentials)
    reply.recovery_public_key = record.effective_recovery_public_key
    reply.mode = MODES[record.mode]
    reply.archives.extend(_archive(archive) for archive in record.archives)
    reply.attempts_left = attempts_left(record.ledger, record.policy)
    if now < record.ledger.cool_down_until:
        reply.cool_down_end_time.CopyFrom(timestamp_of(record.ledger.cool_down_until))
    reply.releases_left = releases_left(record.ledger, record.policy, now=now)
    reply.policy.CopyFrom(policy_message(record.policy))
    reply.life = record.life
    reply.closed = record.state is VaultState.LIVE and is_exhausted(record.ledger, record.policy)
    if record.set_aside is not None:
        reply.set_aside.CopyFrom(_set_aside(record.set_aside, now=now))
    if record.account_erase_at is not None:
        reply.account_erase_time.CopyFrom(timestamp_of(record.account_erase_at))


def _set_aside(aside: SetAside, *, now: Millis) -> resources_pb2.SetAside:
    kept = aside.record
    cool_down_until = kept.ledger.cool_down_until if now < kept.ledger.cool_down_until else None
    return resources_pb2.SetAside(
        set_aside_time=timestamp_of(aside.set_aside_at),
        erase_time=timestamp_of(aside.erase_at),
        credentials=[_credential(credential) for credential in kept.credentials],
        recovery_public_key=kept.effective_recovery_public_key,
        attempts_left=attempts_left(kept.ledger, kept.policy),
        cool_down_end_time=optional_timestamp_of(cool_down_until),
        archives=[_archive(archive) for archive in kept.archives],
    )


def _archive(archive: Archive) -> resources_pb2.ArchiveVersion:
    return resources_pb2.ArchiveVersion(
        archive_version=archive.archive_version,
        confirmed=archive.confirmed,
        store_time=timestamp_of(archive.stored_at),
        envelope_sha256=archive.envelope_sha256,
        mode=MODES[archive.mode],
    )


def _credential(credential: Credential) -> resources_pb2.Credential:
    last_used_at = credential.last_used_at
    return resources_pb2.Credential(
        credential_id=credential.credential_id,
        cose_key=credential.cose_key,
        transports=credential.transports,
        create_time=timestamp_of(credential.created_at),
        last_use_time=timestamp_of(last_used_at) if last_used_at is not None else None,
        aaguid=credential.aaguid,
        backup_eligible=credential.backup_eligible,
        backup_state=credential.backup_state,
        quarantined=credential.quarantined,
    )
