"""Changes of what the envelope is locked with: opened first, locked anew, and stored with the change itself.

The passkey or recovery key that opens the envelope also signs for the change: who cannot open it cannot lock it anew.
The request names the hash of the new envelope, so that the signature is for exactly that one, and no other passkey need
be there: the envelope's content has the recipients of all.

Two devices at once: a change begins at exactly the state of the record at which its envelope was released, else it is
given up before anybody signs. What another device has stored meanwhile (a passkey, a fresh archive identity) would be
missing from what this one is about to store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.errors import BeginAgain, NewestUnopened
from strongroom_client.flows.answers import SignedAnswer, learn, parse
from strongroom_client.flows.ceremonies import CLIENT_RANDOM_BYTES, Begun, begin, complete
from strongroom_client.flows.locking import Locked
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
    """What the envelope holds now and how it is locked, and who has opened it and is therefore to sign for the change.

    `passkeys` are the ids of all that the vault knows.
    """

    content: EnvelopeContent
    mode: Mode
    passkeys: tuple[bytes, ...]
    opener: Signed
    by: By = field(repr=False)


def open_current(session: Session, *, mode: Mode, by: By = ANY_PASSKEY) -> Flow[Current]:
    """Release and open the newest envelope. One prompt, unless the recovery key opens it.

    Raises:
        NewestUnopened: only an older one opened, which does not have what the newest may have.
    """
    opening = yield from release_once(session, mode=mode, by=by)
    if session.opened_at is None:
        version, _ = opening.released.unopened[0]
        raise NewestUnopened(
            f"the newest envelope (archive keys of version {version}) does not open, so nothing is changed"
        )
    released, opener = opening.released, opening.opener
    content = replace(released.opened[0].content, archive_identities=released.identities())
    same = by if by.recovery_key is not None else By(allow=(opener.credential_id,))
    return Current(content=content, mode=opening.mode, passkeys=opening.passkeys, opener=opener, by=same)


def begin_change(session: Session, request: ceremony_pb2.CeremonyRequest, *, mode: Mode) -> Flow[Begun]:
    """Begin a ceremony that replaces the envelope, where this session knows what the newest one holds.

    Raises:
        BeginAgain: another change came since it was opened; nobody was asked to sign.
    """
    begun = yield from begin(session, request, mode=mode)
    if begun.checked.position != session.opened_at:
        raise BeginAgain("BEGIN_AGAIN")
    return begun


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
    locked: Locked,
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
            locked.envelope, transport_key=bundle.transport_key, challenge=begun.checked.challenge
        ),
        transport_key_id=bundle.transport_key_id,
        **more,
    )
    verified = yield from complete(
        session, begun, completion.rpc, message, completion.response, receipt_for=completion.receipt_for
    )
    yield from learn(session, verified, memory=session.memory, credentials=credentials)
    reply = completion.read_reply(verified.reply)
    stored = check_stored(reply, position=verified.position, envelope=locked.envelope)
    session.opened_at = verified.position
    opened = OpenedEnvelope(archive_version=stored.archive_version, confirmed=False, content=locked.content)
    yield from remember_opened(session, opened, mode=locked.mode)
    return stored
