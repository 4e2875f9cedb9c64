"""Storing an envelope: only who began the ceremony can fill it, since the request names the hash of a fresh secret."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.authenticators.port import Assertion
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.errors import BeginAgain, NewestUnopened, ReplyMismatch, VaultRefused
from strongroom_client.fields import hash_fields
from strongroom_client.flows.answers import Verified, learn, parse, require_uncontested
from strongroom_client.flows.ceremonies import (
    CLIENT_RANDOM_BYTES,
    Begun,
    begin,
    complete,
    expected_mode,
    sign,
)
from strongroom_client.flows.locking import Locked, lock, prf_identity
from strongroom_client.flows.messages import assertion_message
from strongroom_client.hpke import seal_to_vault
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Keep, Rpc
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.positions import Position
from strongroom_client.verification.receipts import ReceiptFor

SECRET_BYTES = 32
_SECRET_LABEL = "strongroom/v1/store-secret"  # noqa: S105  a label, not a secret
ContentFor = Callable[[Begun, Assertion], EnvelopeContent]


class StoredReply(Protocol):
    """The reply to whatever stores an envelope."""

    @property
    def archive_version(self) -> int:
        """The new archive version."""

    @property
    def envelope_sha256(self) -> bytes:
        """SHA-256 of the envelope that the keeper wrapped, 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The archive version that the vault gave an envelope."""

    archive_version: int


def store(session: Session, content: EnvelopeContent, *, mode: Mode | None = None) -> Flow[Stored]:
    """Store `content` as a new archive version, in place of what this session has opened before. One prompt.

    Raises:
        NewestUnopened: this session has not opened the newest envelope, which `content` would replace.
        BeginAgain: another change came since it did; nobody was asked to sign. Release, and decide anew.
        ReplyMismatch: `content` is not for exactly the passkeys that the vault knows.
        WrongPrf: the passkey used does not open the envelope, so that it was not sent.
        PrfUnavailable: the passkey gives no PRF output.
    """
    require_uncontested(session)
    chosen = expected_mode(session, mode)
    if session.opened_at is None:
        raise NewestUnopened("release first: what is stored replaces the newest envelope, whatever that holds")
    _, stored = yield from store_once(session, lambda _begun, _made: content, mode=chosen)
    return stored


def store_once(
    session: Session,
    content_for: ContentFor,
    *,
    mode: Mode,
    to: Mode | None = None,
    allow: tuple[bytes, ...] | None = None,
    effective: CredentialSet | None = None,
) -> Flow[tuple[Locked, Stored]]:
    """Store what `content_for` makes of the ceremony and the assertion, in one ceremony.

    `to` is the mode that it is locked in; None for `mode`, that of the envelope before. `allow` are the passkeys that
    may sign; None for all. `effective` are the credentials after a first store, which makes the recovery credential
    effective; None else.

    Before a store in mode vault_held is sent, this device remembers that it accepts that mode: if the answer is lost,
    or this process ends, it still goes on with what the vault then has, the old envelope or the new one.
    """
    lock_in = to or mode
    secret = session.random(SECRET_BYTES)
    request = ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        opened_archive_version=session.memory.opened_archive_version,
        store=ceremony_pb2.StoreOperation(secret_sha256=hash_fields(_SECRET_LABEL, secret), mode=lock_in.wire),
    )
    begun = yield from begin(session, request, mode=mode)
    if effective is None and begun.checked.position != session.opened_at:
        raise BeginAgain("BEGIN_AGAIN")
    assertion = yield from sign(begun, allow=allow)
    opens = (prf_identity(assertion) if lock_in is Mode.PRF else None,)
    content = content_for(begun, assertion)
    locked = lock(content, mode=lock_in, passkeys=begun.credentials.ids, opens=opens)
    verified = yield from _send(session, begun, assertion, secret=secret, locked=locked)
    credentials = begun.credentials if effective is None else effective
    yield from learn(session, verified, memory=replace(session.memory, mode=lock_in), credentials=credentials)
    reply = parse(vault_service_pb2.StoreReply, verified.reply)
    stored = check_stored(reply, position=verified.position, envelope=locked.envelope)
    session.opened_at = verified.position
    return locked, stored


def _send(session: Session, begun: Begun, assertion: Assertion, *, secret: bytes, locked: Locked) -> Flow[Verified]:
    bundle, before = begun.service.bundle, session.memory.mode
    message = vault_service_pb2.StoreEnvelopeRequest(
        ceremony=begun.checked.ceremony,
        assertion=assertion_message(assertion),
        sealed_envelope=seal_to_vault(
            secret + locked.envelope, transport_key=bundle.transport_key, challenge=begun.checked.challenge
        ),
        transport_key_id=bundle.transport_key_id,
    )
    if locked.mode is Mode.VAULT_HELD:
        yield from _remember_mode(session, locked.mode)
    try:
        return (
            yield from complete(
                session,
                begun,
                Rpc.STORE_ENVELOPE,
                message,
                vault_service_pb2.StoreEnvelopeResponse,
                receipt_for=ReceiptFor.STORE,
            )
        )
    except VaultRefused:
        yield from _remember_mode(session, before)
        raise


def _remember_mode(session: Session, mode: Mode | None) -> Flow[None]:
    if session.memory.mode is not mode:
        session.memory = replace(session.memory, mode=mode)
        yield Keep(session.memory, None)


def check_stored(reply: StoredReply, *, position: Position, envelope: bytes) -> Stored:
    """Return the archive version that the vault has signed for, of exactly `envelope`.

    Raises:
        ReplyMismatch: it stored another envelope, or under another version.
    """
    if reply.envelope_sha256 != hashlib.sha256(envelope).digest():
        raise ReplyMismatch("the vault signed that it stored another envelope than this client sent")
    if reply.archive_version != position.version:
        raise ReplyMismatch("the vault gave the envelope another archive version than its record's")
    return Stored(archive_version=reply.archive_version)
