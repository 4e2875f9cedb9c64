"""What a tenant asks for itself: the feed of its accounts' events, and the erasure of an account, after a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from strongroom.v1 import event_pb2, tenant_service_pb2, vault_service_pb2
from strongroom_client.clock import Clock, Millis
from strongroom_client.descriptions import word
from strongroom_client.errors import ReplyMismatch
from strongroom_client.flows.answers import NONCE_BYTES, SignedAnswer, parse, receipt_of
from strongroom_client.flows.ceremonies import NONCE_KNOWN_MS, call_until_answered
from strongroom_client.receipts.format import KeptReceipt
from strongroom_client.steps import Flow, Rpc, call
from strongroom_client.timestamps import millis_of, optional_millis
from strongroom_client.verification.bundles import SeenBundle, Trust, VerifiedBundle, verify_bundle
from strongroom_client.verification.owner_bundles import SeenOwnerBundle, standing_of
from strongroom_client.verification.receipts import ReceiptFor

_Answer = TypeVar("_Answer", bound=SignedAnswer)


@dataclass(slots=True, kw_only=True)
class TenantSession:
    """Changes as flows learn: the newest key bundles, by fingerprint of their signers, the one in use, the owners'."""

    tenant: str
    trust: Trust
    clock: Clock
    random: Callable[[int], bytes] = field(repr=False)
    seen: dict[bytes, SeenBundle] = field(default_factory=dict)
    bundle: VerifiedBundle | None = None
    owner_bundle: SeenOwnerBundle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEvent:
    """What happened to an account. `account` and `version` name it, should it come twice; else as HistoryEvent."""

    account: str
    version: int
    at: Millis
    kind: str
    outcome: str
    reason: str
    failures: int
    about_set_aside: bool
    swept: tuple[str, ...]
    erase_at: Millis | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """A page of the feed, in the order of commits.

    Attributes:
        events: may be none, though more follows.
        next_cursor: for the next page; keep it once the events are dealt with, and so see each at least once.
        more: whether more was there.
        receipt: the vault's, for who wants to keep it.
    """

    events: tuple[TenantEvent, ...]
    next_cursor: bytes
    more: bool
    receipt: KeptReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure that was asked for, or taken back: then `erase_at` is None."""

    account: str
    erase_at: Millis | None
    receipt: KeptReceipt


def list_tenant_events(session: TenantSession, *, cursor: bytes = b"") -> Flow[FeedPage]:
    """Ask for the page of the feed that begins at `cursor`; the empty one is the beginning.

    Raises:
        NotProven: the answer cannot be believed, or does not go on.
    """
    nonce = session.random(NONCE_BYTES)
    answer = yield from call(
        Rpc.LIST_TENANT_EVENTS,
        tenant_service_pb2.ListTenantEventsRequest(nonce=nonce, cursor=cursor),
        tenant_service_pb2.ListTenantEventsResponse,
    )
    receipt = yield from _verify(session, answer, receipt_for=ReceiptFor.LIST_TENANT_EVENTS, nonce=nonce)
    reply = parse(tenant_service_pb2.ListTenantEventsReply, answer.reply)
    if reply.tenant != session.tenant:
        raise ReplyMismatch("the feed is another tenant's")
    if not reply.next_cursor or (reply.more and reply.next_cursor == cursor):
        raise ReplyMismatch("the feed does not go on")
    events = tuple(_event(event) for event in reply.events)
    return FeedPage(events=events, next_cursor=reply.next_cursor, more=reply.more, receipt=receipt)


def erase_account(session: TenantSession, account: str) -> Flow[Erasure]:
    """Have an account erased after the wait, which the account is shown.

    Raises:
        ErasurePending: it was asked for before.
        NoVault: there is nothing to erase.
    """
    nonce = session.random(NONCE_BYTES)
    request = tenant_service_pb2.EraseAccountRequest(nonce=nonce, account=account)
    answer = yield from _change(session, Rpc.ERASE_ACCOUNT, request, tenant_service_pb2.EraseAccountResponse)
    receipt = yield from _verify(session, answer, receipt_for=ReceiptFor.ERASE_ACCOUNT, nonce=nonce)
    reply = parse(tenant_service_pb2.EraseAccountReply, answer.reply)
    erase_at = optional_millis(reply, "erase_time", otherwise=ReplyMismatch)
    if reply.account != account or erase_at is None:
        raise ReplyMismatch("the vault signed for the erasure of another account, or for no time")
    return Erasure(account=account, erase_at=erase_at, receipt=receipt)


def cancel_erase_account(session: TenantSession, account: str) -> Flow[Erasure]:
    """Take the erasure of an account back, while the wait lasts.

    Raises:
        NoErasurePending: there is none.
    """
    nonce = session.random(NONCE_BYTES)
    request = tenant_service_pb2.CancelEraseAccountRequest(nonce=nonce, account=account)
    response = tenant_service_pb2.CancelEraseAccountResponse
    answer = yield from _change(session, Rpc.CANCEL_ERASE_ACCOUNT, request, response)
    receipt = yield from _verify(session, answer, receipt_for=ReceiptFor.CANCEL_ERASE_ACCOUNT, nonce=nonce)
    if parse(tenant_service_pb2.CancelEraseAccountReply, answer.reply).account != account:
        raise ReplyMismatch("the vault signed for another account")
    return Erasure(account=account, erase_at=None, receipt=receipt)


def _change(session: TenantSession, rpc: Rpc, request: Message, response: type[_Answer]) -> Flow[_Answer]:
    until = Millis(session.clock() + NONCE_KNOWN_MS)
    return (yield from call_until_answered(session.clock, rpc, request, response, until=until))


def _verify(
    session: TenantSession, answer: SignedAnswer, *, receipt_for: ReceiptFor, nonce: bytes
) -> Flow[KeptReceipt]:
    bundle = session.bundle
    signer = answer.receipt.identity_fingerprint
    is_current = bundle is not None and session.clock() <= bundle.not_after
    if bundle is None or not is_current or (signer not in bundle.identity_keys and session.trust.may_count(signer)):
        bundle = yield from _ask_bundle(session)
    return receipt_of(
        answer,
        receipt_for=receipt_for,
        challenge=nonce,
        ceremony=None,
        identity_keys=bundle.identity_keys,
        now=session.clock(),
    )


def _ask_bundle(session: TenantSession) -> Flow[VerifiedBundle]:
    """Ask for the vault's keys, as any account of the tenant's may."""
    nonce = session.random(NONCE_BYTES)
    request = vault_service_pb2.GetServiceInfoRequest(nonce=nonce)
    answer = yield from call(Rpc.GET_SERVICE_INFO, request, vault_service_pb2.GetServiceInfoResponse)
    reply = parse(vault_service_pb2.ServiceInfoReply, answer.reply)
    standing = standing_of(session.trust, answer.owner_bundles, known=session.owner_bundle, now=session.clock())
    bundle = verify_bundle(reply.key_bundle, trust=standing.trust, seen=session.seen, now=session.clock())
    receipt_of(
        answer,
        receipt_for=ReceiptFor.GET_SERVICE_INFO,
        challenge=nonce,
        ceremony=None,
        identity_keys=bundle.identity_keys,
        now=session.clock(),
    )
    if reply.tenant != session.tenant:
        raise ReplyMismatch("the vault takes this account token for another tenant's")
    session.seen.update(dict.fromkeys(bundle.signers, bundle.seen))
    session.owner_bundle, session.bundle = standing.owner_bundle, standing.limit(bundle)
    return session.bundle


def _event(message: tenant_service_pb2.TenantEvent) -> TenantEvent:
    return TenantEvent(
        account=message.account,
        version=message.version,
        at=millis_of(message.event_time, otherwise=ReplyMismatch),
        kind=word(event_pb2.EventKind.Name, message.kind, "EVENT_KIND_"),
        outcome=word(event_pb2.EventOutcome.Name, message.outcome, "EVENT_OUTCOME_"),
        reason=message.reason,
        failures=message.failures,
        about_set_aside=message.about_set_aside,
        swept=tuple(word(event_pb2.Swept.Name, one, "SWEPT_") for one in message.swept),
        erase_at=optional_millis(message, "erase_time", otherwise=ReplyMismatch),
    )
