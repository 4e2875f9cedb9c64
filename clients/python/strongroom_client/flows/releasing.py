"""Releasing: the envelopes, sealed to a key that lives for one ceremony, opened with the passkey's PRF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.age_keys import ArchiveIdentity, recipient_of
from strongroom_client.authenticators.port import NoMatchingCredential
from strongroom_client.envelope import decode_vault_held_envelope, open_envelope
from strongroom_client.envelope_content import EnvelopeContent, EnvelopeError
from strongroom_client.errors import ReplyMismatch
from strongroom_client.flows.answers import learn, parse, require_uncontested
from strongroom_client.flows.ceremonies import (
    CLIENT_RANDOM_BYTES,
    begin,
    complete,
    expected_mode,
    once_more,
)
from strongroom_client.flows.reading import ask_vault, look
from strongroom_client.flows.signing import ANY_PASSKEY, By, Signed, authorize
from strongroom_client.hpke import open_from_vault
from strongroom_client.memory import Mode
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Keep, Rpc
from strongroom_client.verification.receipts import ReceiptFor


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEnvelope:
    """One released envelope, opened. `confirmed`: a client has said before that it opened it."""

    archive_version: int
    confirmed: bool
    content: EnvelopeContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release gave.

    Attributes:
        opened: newest first, at least one.
        unopened: why others did not open, by archive version; an unconfirmed one may have been locked wrongly.
    """

    opened: tuple[OpenedEnvelope, ...]
    unopened: tuple[tuple[int, EnvelopeError], ...]

    def identities(self) -> tuple[ArchiveIdentity, ...]:
        """Return all archive identities, newest first, each once."""
        return tuple(dict.fromkeys(one for envelope in self.opened for one in envelope.content.archive_identities))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A release, who signed for it, and so opened, how the vault says that the envelope is locked, and its passkeys."""

    released: Released
    opener: Signed
    mode: Mode
    passkeys: tuple[bytes, ...]


def release(session: Session, *, mode: Mode | None = None, recovery_key: RecoveryKey | None = None) -> Flow[Released]:
    """Release and open the envelopes. One prompt; a second one if another change came between.

    With `recovery_key` the recovery credential signs in place of a passkey, and nobody is prompted.

    Raises:
        EnvelopeError: none opened; WrongPrf where this passkey's PRF gave another value than when it was added.
        NotProven: the answer cannot be believed.
    """
    require_uncontested(session)
    chosen = expected_mode(session, mode)
    opening = yield from once_more(lambda: release_once(session, mode=chosen, by=By(recovery_key=recovery_key)))
    return opening.released


def release_once(session: Session, *, mode: Mode, by: By = ANY_PASSKEY) -> Flow[Opening]:
    """Release in one ceremony. Where `mode` is vault_held, a vault that was moved to PRF meanwhile is as good."""
    session.opened_at = None
    private_key = X25519PrivateKey.from_private_bytes(session.random(32))
    request = ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        opened_archive_version=session.memory.opened_archive_version,
        release=ceremony_pb2.ReleaseOperation(
            recipient=private_key.public_key().public_bytes_raw(),
            suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
        ),
    )
    begun = yield from begin(session, request, mode=mode, may_lock_better=True)
    try:
        signed = yield from authorize(begun, by, opens=begun.mode)
    except NoMatchingCredential:
        yield from look(session)  # it may have been removed elsewhere, which its owner should be told beside this
        raise
    verified = yield from complete(
        session,
        begun,
        Rpc.RELEASE_ENVELOPE,
        vault_service_pb2.ReleaseEnvelopeRequest(ceremony=begun.checked.ceremony, assertion=signed.message),
        vault_service_pb2.ReleaseEnvelopeResponse,
        receipt_for=ReceiptFor.RELEASE,
    )
    yield from learn(session, verified, memory=session.memory, credentials=begun.credentials)
    sealed = parse(vault_service_pb2.ReleaseReply, verified.reply).sealed_envelopes
    opened = open_from_vault(sealed, private_key=private_key, challenge=begun.checked.challenge)
    envelopes = parse(vault_service_pb2.ReleasedEnvelopes, opened).envelopes
    yield from _forget_another_life(session, envelopes)
    _check_envelopes(envelopes, session=session, mode=begun.mode)
    released = _open_all(envelopes, mode=begun.mode, identity=signed.identity)
    newest = released.opened[0]
    if newest.archive_version == envelopes[0].archive_version:
        session.opened_at = verified.position
    yield from remember_opened(session, newest, mode=begun.mode)
    return Opening(released=released, opener=signed, mode=begun.mode, passkeys=begun.credentials.ids)


def _forget_another_life(session: Session, envelopes: Sequence[vault_service_pb2.ReleasedEnvelope]) -> Flow[None]:
    """Where all envelopes are older than one opened here, ask whether an earlier life was reopened since.

    The vault signs which life it is; it is told to the user, and what was opened in the other life counts no more.
    """
    memory = session.memory
    if not envelopes or envelopes[0].archive_version >= memory.opened_archive_version or memory.life is None:
        return
    yield from ask_vault(session)
    if session.memory.life != memory.life:
        session.memory = replace(session.memory, opened_archive_version=0, archive_recipient=None)


def _check_envelopes(envelopes: Sequence[vault_service_pb2.ReleasedEnvelope], *, session: Session, mode: Mode) -> None:
    """Refuse envelopes that this device would not have been given by an honest vault."""
    versions = [envelope.archive_version for envelope in envelopes]
    if not versions or versions != sorted(set(versions), reverse=True):
        raise ReplyMismatch("the vault released no envelopes, or not newest first")
    if versions[0] < session.memory.opened_archive_version:
        raise ReplyMismatch("the vault released only envelopes older than one that this device has opened")
    if versions[0] > session.memory.position.version:
        raise ReplyMismatch("the vault released an envelope newer than its record")
    if any(envelope.mode != mode.wire for envelope in envelopes):
        raise ReplyMismatch("the vault released an envelope locked in another mode than this account's")


def _open_all(
    envelopes: Sequence[vault_service_pb2.ReleasedEnvelope], *, mode: Mode, identity: ArchiveIdentity | None
) -> Released:
    opened: list[OpenedEnvelope] = []
    unopened: list[tuple[int, EnvelopeError]] = []
    for one in envelopes:
        try:
            content = _open(one.envelope, mode=mode, identity=identity)
        except EnvelopeError as error:
            unopened.append((one.archive_version, error))
        else:
            opened.append(OpenedEnvelope(archive_version=one.archive_version, confirmed=one.confirmed, content=content))
    if not opened:
        raise unopened[0][1]
    return Released(opened=tuple(opened), unopened=tuple(unopened))


def _open(envelope: bytes, *, mode: Mode, identity: ArchiveIdentity | None) -> EnvelopeContent:
    if mode is Mode.PRF and identity is not None:
        return open_envelope(envelope, identity=identity)
    return decode_vault_held_envelope(envelope)


def remember_opened(session: Session, newest: OpenedEnvelope, *, mode: Mode) -> Flow[None]:
    """Remember what backups are encrypted to, and that the newest envelope opened: the next request confirms it.

    Raises:
        ReplyMismatch: the same archive version held other keys before.
    """
    memory = session.memory
    archive_recipient = recipient_of(newest.content.archive_identities[0])
    if newest.archive_version == memory.opened_archive_version and archive_recipient != memory.archive_recipient:
        raise ReplyMismatch("the envelope holds other keys than this device opened at the same archive version")
    session.memory = replace(
        memory,
        mode=mode,
        opened_archive_version=max(newest.archive_version, memory.opened_archive_version),
        archive_recipient=archive_recipient,
        recovery_recipient=newest.content.recovery_recipient,
        names=MappingProxyType(dict(newest.content.names())),
    )
    yield Keep(session.memory, None)
    if session.memory.life is None:  # else an earlier life that is reopened could not be told from a vault gone back
        yield from look(session)
