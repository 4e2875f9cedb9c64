"""Changes of what the envelope is locked with: opened first, locked anew, and stored with the change itself.

The passkey or recovery key that opens the envelope also signs for the change: who cannot open it cannot lock it anew.
The request names the hash of the new envelope, so that the signature is for exactly that one, and no other passkey need
be there: the envelope's content has the recipients of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.envelope import encode_vault_held_envelope, open_envelope, seal_envelope
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.flows.answers import SignedAnswer, learn, parse
from strongroom_client.flows.ceremonies import CLIENT_RANDOM_BYTES, Begun, complete
from strongroom_client.flows.releasing import OpenedEnvelope, release_once, remember_opened
from strongroom_client.flows.signing import ANY_PASSKEY, By, Signed
from strongroom_client.flows.storing import Stored, StoredReply, check_stored
from strongroom_client.hpke import seal_to_vault
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.receipts import ReceiptFor

_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Completion:
    """How a change is completed: RPC, messages, and the label of its receipt."""

    rpc: Rpc
    request: Callable[..., Message]
    response: type[SignedAnswer]
    read_reply: Callable[[bytes], StoredReply]
    receipt_for: ReceiptFor


ADD = Completion(
    Rpc.ADD_CREDENTIAL,
    vault_service_pb2.AddCredentialRequest,
    vault_service_pb2.AddCredentialResponse,
    partial(parse, vault_service_pb2.AddCredentialReply),
    ReceiptFor.ADD_CREDENTIAL,
)
REMOVE = Completion(
    Rpc.REMOVE_CREDENTIAL,
    vault_service_pb2.RemoveCredentialRequest,
    vault_service_pb2.RemoveCredentialResponse,
    partial(parse, vault_service_pb2.RemoveCredentialReply),
    ReceiptFor.REMOVE_CREDENTIAL,
)
SET_RECOVERY = Completion(
    Rpc.SET_RECOVERY,
    vault_service_pb2.SetRecoveryRequest,
    vault_service_pb2.SetRecoveryResponse,
    partial(parse, vault_service_pb2.SetRecoveryReply),
    ReceiptFor.SET_RECOVERY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What the envelope holds now, who has opened it, and who therefore is to sign for the change."""

    content: EnvelopeContent
    opener: Signed
    by: By = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """The new content, and the envelope that it is locked in."""

    content: EnvelopeContent
    envelope: bytes = field(repr=False)
    mode: Mode

    @property
    def sha256(self) -> bytes:
        """What the request names."""
        return hashlib.sha256(self.envelope).digest()


def open_current(session: Session, *, mode: Mode, by: By = ANY_PASSKEY) -> Flow[Current]:
    """Release and open the envelope. One prompt, unless the recovery key opens it."""
    released, opener = yield from release_once(session, mode=mode, by=by)
    content = replace(released.opened[0].content, archive_identities=released.identities())
    same = by if by.recovery_key is not None else By(allow=(opener.credential_id,))
    return Current(content=content, opener=opener, by=same)


def rewrap(content: EnvelopeContent, *, mode: Mode, opens: tuple[ArchiveIdentity | None, ...]) -> Rewrapped:
    """Lock `content` anew, in mode PRF only so that all identities in `opens` do open it.

    Raises:
        WrongPrf: one does not.
    """
    if mode is Mode.VAULT_HELD:
        return Rewrapped(content=content, envelope=encode_vault_held_envelope(content), mode=mode)
    envelope = seal_envelope(content)
    for identity in opens:
        if identity is not None:
            open_envelope(envelope, identity=identity)
    return Rewrapped(content=content, envelope=envelope, mode=mode)


def request_of(session: Session) -> ceremony_pb2.CeremonyRequest:
    """Return a request without its operation; it confirms the newest version that this device has opened."""
    return ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        opened_archive_version=session.memory.opened_archive_version,
    )


def complete_change(
    session: Session,
    begun: Begun,
    completion: Completion,
    signed: Signed,
    rewrapped: Rewrapped,
    *,
    credentials: CredentialSet,
    more: Mapping[str, object] = _NOTHING,
) -> Flow[Stored]:
    """Complete a change that leaves `credentials`, and remember that this device can open what is stored now.

    Raises:
        ReplyMismatch: the vault stored another envelope.
    """
    bundle = begun.service.bundle
    message = completion.request(
        ceremony=begun.checked.ceremony,
        assertion=signed.message,
        sealed_envelope=seal_to_vault(
            rewrapped.envelope, transport_key=bundle.transport_key, challenge=begun.checked.challenge
        ),
        transport_key_id=bundle.transport_key_id,
        **more,
    )
    verified = yield from complete(
        session, begun, completion.rpc, message, completion.response, receipt_for=completion.receipt_for
    )
    yield from learn(session, verified, memory=session.memory, credentials=credentials)
    stored = check_stored(completion.read_reply(verified.reply), verified, envelope=rewrapped.envelope)
    opened = OpenedEnvelope(archive_version=stored.archive_version, confirmed=False, content=rewrapped.content)
    yield from remember_opened(session, opened, mode=rewrapped.mode)
    return stored
