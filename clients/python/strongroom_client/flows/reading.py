"""Questions about the record and its history. They change nothing at the vault."""

from __future__ import annotations

from dataclasses import dataclass, replace

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.descriptions import HistoryEvent, VaultStatus, describe_event, describe_vault
from strongroom_client.errors import ReplyMismatch, VaultRefused, VaultTrouble
from strongroom_client.flows.answers import (
    NONCE_BYTES,
    Verified,
    learn,
    parse,
    require_owner,
    require_uncontested,
    tell,
    verify_answer,
)
from strongroom_client.notices import changes_seen, status_notices
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc, call
from strongroom_client.verification.credential_sets import credential_set
from strongroom_client.verification.histories import check_page, page_end
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.receipts import ReceiptFor


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page begins: the token that asks for it, and the position; both unknown of the newest page."""

    token: bytes
    start: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A checked page; `next` is None at the end of the history."""

    verified: Verified
    events: tuple[event_pb2.Event, ...]
    next: PageStart | None


def ask_vault(session: Session) -> Flow[VaultStatus]:
    """Ask for the record, verify the answer, and remember its position and credentials.

    Raises:
        NotProven: the answer cannot be believed; VaultWentBack where it is older than what is remembered.
    """
    require_uncontested(session)
    nonce = session.random(NONCE_BYTES)
    answer = yield from call(
        Rpc.GET_VAULT, vault_service_pb2.GetVaultRequest(nonce=nonce), vault_service_pb2.GetVaultResponse
    )
    verified = yield from verify_answer(session, answer, receipt_for=ReceiptFor.GET_VAULT, challenge=nonce)
    reply = parse(vault_service_pb2.VaultReply, verified.reply)
    require_owner(session, tenant=reply.tenant, account=reply.account)
    if (reply.state == resources_pb2.VAULT_STATE_NONE) != (verified.position.version == 0):
        raise ReplyMismatch("the vault's answer has a version without a record, or a record without a version")
    known, status = session.memory, describe_vault(reply, verified.position)
    credentials = credential_set(reply.credentials, recovery_public_key=reply.recovery_public_key)
    aside = reply.set_aside
    set_aside = credential_set(aside.credentials, recovery_public_key=aside.recovery_public_key)
    memory = replace(known, pending=status.pending, life=reply.life)
    yield from learn(session, verified, memory=memory, credentials=credentials, set_aside=set_aside)
    yield from tell(session, status_notices(status))
    yield from tell(session, changes_seen(known=known, shown=session.memory, status=status))
    return status


def look(session: Session) -> Flow[None]:
    """Learn what the record is now, and tell what has become of it; an answer that does not come is not waited for.

    Raises:
        NotProven: as `ask_vault`.
    """
    try:
        yield from ask_vault(session)
    except (VaultTrouble, VaultRefused):
        return


def ask_history(session: Session) -> Flow[tuple[HistoryEvent, ...]]:
    """Ask for every page of the history, newest first, and check that it is whole and passes through what is known.

    Raises:
        NotProven: an answer cannot be believed, an event is missing, or the history is another than remembered.
    """
    require_uncontested(session)
    events: list[HistoryEvent] = []
    known, place = session.memory.position, PageStart(b"", None)
    while True:
        page = yield from ask_page(session, place, known=known)
        yield from learn(session, page.verified, memory=session.memory)
        events.extend(describe_event(event) for event in page.events)
        if page.next is None:
            return tuple(events)
        place = page.next


def ask_heads(session: Session) -> Flow[tuple[HistoryEvent, ...]]:
    """Ask for the history as the vault has it now, whether or not it goes on from what this device remembers.

    For comparing it with kept receipts: nothing is learned from it but its receipts.
    """
    events: list[HistoryEvent] = []
    place = PageStart(b"", None)
    while True:
        page = yield from ask_page(session, place, known=GENESIS)
        events.extend(describe_event(event) for event in page.events)
        if page.next is None:
            return tuple(events)
        place = page.next


def ask_page(session: Session, place: PageStart, *, known: Position) -> Flow[Page]:
    """Ask for one page, and check that it is whole and passes through `known` if that lies in it."""
    nonce = session.random(NONCE_BYTES)
    answer = yield from call(
        Rpc.LIST_EVENTS,
        vault_service_pb2.ListEventsRequest(nonce=nonce, page_token=place.token),
        vault_service_pb2.ListEventsResponse,
    )
    verified = yield from verify_answer(session, answer, receipt_for=ReceiptFor.LIST_EVENTS, challenge=nonce)
    reply = parse(vault_service_pb2.ListEventsReply, verified.reply)
    require_owner(session, tenant=reply.tenant, account=reply.account)
    start = verified.position if place.start is None else place.start
    end = page_end(reply.next_page_token, first_version=reply.first_version)
    if end.version >= start.version > 0:
        raise ReplyMismatch("the history's next page does not lie before this one")
    check_page(reply.events, start=start, end=end, known=known)
    after = PageStart(reply.next_page_token, end) if reply.next_page_token else None
    return Page(verified=verified, events=tuple(reply.events), next=after)
