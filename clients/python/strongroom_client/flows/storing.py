"""Storing an envelope: only who began the ceremony can fill it, since the request names the hash of a fresh secret."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.authenticators.port import Assertion
from strongroom_client.envelope import (
    encode_vault_held_envelope,
    open_envelope,
    passkey_identity,
    seal_envelope,
)
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.errors import PrfUnavailable, ReplyMismatch
from strongroom_client.fields import hash_fields
from strongroom_client.flows.answers import Verified, learn, parse, require_uncontested
from strongroom_client.flows.ceremonies import (
    CLIENT_RANDOM_BYTES,
    Begun,
    begin,
    complete,
    expected_mode,
    once_more,
    sign,
)
from strongroom_client.flows.messages import assertion_message
from strongroom_client.hpke import seal_to_vault
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.verification.credential_sets import CredentialSet
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
    """Store `content` as a new archive version. One prompt; a second one if another change came between.

    Raises:
        WrongPrf: the passkey used does not open the envelope, so that it was not sent.
        PrfUnavailable: the passkey gives no PRF output.
    """
    require_uncontested(session)
    chosen = expected_mode(session, mode)

    return (
        yield from once_more(lambda: store_once(session, lambda _begun, _made: content, mode=chosen, effective=None))
    )


def store_once(
    session: Session, content_for: ContentFor, *, mode: Mode, effective: CredentialSet | None
) -> Flow[Stored]:
    """Store what `content_for` makes of the ceremony and the assertion, in one ceremony.

    `effective` are the credentials after a first store, which makes the recovery credential effective; None else.
    """
    secret = session.random(SECRET_BYTES)
    request = ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        opened_archive_version=session.memory.opened_archive_version,
        store=ceremony_pb2.StoreOperation(secret_sha256=hash_fields(_SECRET_LABEL, secret), mode=mode.wire),
    )
    begun = yield from begin(session, request, mode=mode)
    assertion = yield from sign(begun)
    envelope = lock_envelope(content_for(begun, assertion), mode=mode, assertion=assertion)
    bundle = begun.service.bundle
    verified = yield from complete(
        session,
        begun,
        Rpc.STORE_ENVELOPE,
        vault_service_pb2.StoreEnvelopeRequest(
            ceremony=begun.checked.ceremony,
            assertion=assertion_message(assertion),
            sealed_envelope=seal_to_vault(
                secret + envelope, transport_key=bundle.transport_key, challenge=begun.checked.challenge
            ),
            transport_key_id=bundle.transport_key_id,
        ),
        vault_service_pb2.StoreEnvelopeResponse,
        receipt_for=ReceiptFor.STORE,
    )
    credentials = begun.credentials if effective is None else effective
    yield from learn(session, verified, memory=replace(session.memory, mode=mode), credentials=credentials)
    return check_stored(parse(vault_service_pb2.StoreReply, verified.reply), verified, envelope=envelope)


def check_stored(reply: StoredReply, verified: Verified, *, envelope: bytes) -> Stored:
    """Return the archive version that the vault has signed for, of exactly `envelope`.

    Raises:
        ReplyMismatch: it stored another envelope, or under another version.
    """
    if reply.envelope_sha256 != hashlib.sha256(envelope).digest():
        raise ReplyMismatch("the vault signed that it stored another envelope than this client sent")
    if reply.archive_version != verified.position.version:
        raise ReplyMismatch("the vault gave the envelope another archive version than its record's")
    return Stored(archive_version=reply.archive_version)


def lock_envelope(content: EnvelopeContent, *, mode: Mode, assertion: Assertion) -> bytes:
    """Return `content` locked in `mode`; in PRF mode only if the passkey just used opens it.

    Raises:
        PrfUnavailable: the passkey gives no PRF output.
        WrongPrf: it does not open it.
    """
    if mode is Mode.VAULT_HELD:
        return encode_vault_held_envelope(content)
    envelope = seal_envelope(content)
    open_envelope(envelope, identity=prf_identity(assertion))
    return envelope


def prf_identity(assertion: Assertion) -> ArchiveIdentity:
    """Return the age identity of the passkey that made `assertion`.

    Raises:
        PrfUnavailable: it gave no PRF output.
    """
    if assertion.prf_output is None:
        raise PrfUnavailable("this passkey gives no PRF output, which the default mode needs")
    return passkey_identity(prf_output=assertion.prf_output, credential_id=assertion.credential_id)
