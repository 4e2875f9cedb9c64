"""Signed answers: verified, compared with what this device remembers, and remembered themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from strongroom.v1 import resources_pb2, vault_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.descriptions import Service, describe_policy
from strongroom_client.errors import ReplyMismatch, VaultWentBack
from strongroom_client.memory import AccountMemory
from strongroom_client.notices import Notice, owners_changed
from strongroom_client.receipts.format import KeptReceipt
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Keep, KeepContested, Rpc, Tell, call
from strongroom_client.timestamps import millis_of
from strongroom_client.verification.bundles import VerifiedBundle, verify_bundle
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.owner_bundles import standing_of
from strongroom_client.verification.positions import Position, check_goes_on
from strongroom_client.verification.receipts import ReceiptFor, check_receipt

NONCE_BYTES = 32
_KNOWN_ALGORITHMS = frozenset({-7, -8, -257})  # ES256, EdDSA, RS256 (WebAuthn Level 3, section 5.8.5)
_REPLY_NOT_KEPT = frozenset(
    {ReceiptFor.RELEASE, ReceiptFor.LIST_EVENTS, ReceiptFor.LIST_TENANT_EVENTS}
)  # sealed to a key that is gone; long
_Reply = TypeVar("_Reply", bound=Message)


class SignedAnswer(Protocol):
    """Every response of the vault but BeginCeremony's."""

    @property
    def reply(self) -> bytes:
        """Serialized reply message."""

    @property
    def receipt(self) -> resources_pb2.Receipt:
        """The keeper's signature over it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified answer: the reply's bytes, the position that it speaks of, and the receipt, which is kept already."""

    reply: bytes
    position: Position
    receipt: KeptReceipt


def current_service(session: Session) -> Flow[Service]:
    """Return the vault's verified description, asking for it where there is none or its bundle is over.

    Raises:
        NotProven: the vault's description cannot be believed.
    """
    service = session.service
    if service is not None and session.clock() <= service.bundle.not_after:
        return service
    return (yield from ask_service(session))


def ask_service(session: Session) -> Flow[Service]:
    """Ask for the vault's description and keys, verify them, and remember the bundle."""
    nonce = session.random(NONCE_BYTES)
    answer = yield from call(
        Rpc.GET_SERVICE_INFO,
        vault_service_pb2.GetServiceInfoRequest(nonce=nonce),
        vault_service_pb2.GetServiceInfoResponse,
    )
    reply = parse(vault_service_pb2.ServiceInfoReply, answer.reply)
    known = session.memory.owner_bundle
    standing = standing_of(session.settings.trust, answer.owner_bundles, known=known, now=session.clock())
    bundle = verify_bundle(reply.key_bundle, trust=standing.trust, seen=session.memory.bundles, now=session.clock())
    receipt = receipt_of(
        answer,
        receipt_for=ReceiptFor.GET_SERVICE_INFO,
        challenge=nonce,
        ceremony=None,
        identity_keys=bundle.identity_keys,
        now=session.clock(),
    )
    yield Keep(session.memory, receipt)
    session.service = _service(session, reply, standing.limit(bundle))
    seen = {**session.memory.bundles, **dict.fromkeys(bundle.signers, bundle.seen)}
    session.memory = replace(
        session.memory,
        pins=standing.trust.pins,
        bundles=MappingProxyType(seen),
        owner_bundle=standing.owner_bundle,
    )
    yield Keep(session.memory, None)
    yield from tell(session, owners_changed(known=known, shown=standing.owner_bundle))
    return session.service


def verify_answer(
    session: Session, answer: SignedAnswer, *, receipt_for: ReceiptFor, challenge: bytes, ceremony: bytes | None = None
) -> Flow[Verified]:
    """Verify an answer over `challenge`, that of `ceremony` or a nonce, and keep its receipt.

    It is kept whatever comes of the answer: where it does not fit what was asked, it proves what the vault did.

    Raises:
        ReceiptInvalid: it is not signed, as it is, for this question.
    """
    service = yield from current_service(session)
    fingerprint = answer.receipt.identity_fingerprint
    if fingerprint not in service.bundle.identity_keys and session.settings.trust.may_count(fingerprint):
        service = yield from ask_service(session)  # a key that counts that came into use since the bundle was read
    receipt = receipt_of(
        answer,
        receipt_for=receipt_for,
        challenge=challenge,
        ceremony=ceremony,
        identity_keys=service.bundle.identity_keys,
        now=session.clock(),
    )
    yield Keep(session.memory, receipt)
    return Verified(answer.reply, receipt.position, receipt)


def learn(
    session: Session,
    verified: Verified,
    *,
    memory: AccountMemory,
    credentials: CredentialSet | None = None,
    set_aside: CredentialSet | None = None,
) -> Flow[None]:
    """Remember `memory` at the position of a verified answer, if that goes on from what is remembered.

    `credentials` are those that may sign at that position, and `set_aside` those of what is set aside, where the
    answer tells.

    Raises:
        VaultWentBack: it does not; both positions are kept as evidence, and nothing goes on until the user accepts.
    """
    shown, known = verified.position, session.memory.position
    try:
        check_goes_on(shown, known=known)
    except VaultWentBack:
        session.memory = replace(session.memory, contested=shown)
        yield KeepContested(known=known, shown=shown, receipt=verified.receipt)
        yield Keep(session.memory, None)
        raise
    if credentials is not None:
        memory = replace(memory, credentials=credentials, credentials_version=shown.version, set_aside=set_aside)
    session.memory = replace(memory, position=shown)
    yield Keep(session.memory, None)


def tell(session: Session, notices: Iterable[Notice]) -> Flow[None]:
    """Tell the user what has not been told in this session."""
    for notice in notices:
        if notice not in session.told:
            session.told.append(notice)
            yield Tell(notice)


def require_uncontested(session: Session) -> None:
    """Stop where the vault went back and the user has not accepted it.

    Raises:
        VaultWentBack: it did, earlier.
    """
    if session.memory.contested is not None:
        check_goes_on(session.memory.contested, known=session.memory.position)


def parse(message: type[_Reply], serialized: bytes) -> _Reply:
    """Parse a reply.

    Raises:
        ReplyMismatch: it is no such message.
    """
    try:
        return message.FromString(serialized)
    except DecodeError:
        raise ReplyMismatch(f"the answer is no {message.DESCRIPTOR.name}") from None


def require_owner(session: Session, *, tenant: str, account: str) -> None:
    """Refuse a signed answer about another account.

    Raises:
        ReplyMismatch: it is about another tenant or account.
    """
    owner = session.settings.owner
    if (tenant, account) != (owner.tenant, owner.account):
        raise ReplyMismatch("the answer is about another account")


def receipt_of(
    answer: SignedAnswer,
    *,
    receipt_for: ReceiptFor,
    challenge: bytes,
    ceremony: bytes | None,
    identity_keys: Mapping[bytes, bytes],
    now: Millis,
) -> KeptReceipt:
    """Return the receipt of an answer, verified, as it is kept.

    Raises:
        ReceiptInvalid: the answer is not signed, as it is, for this question.
    """
    position = check_receipt(
        answer.receipt, receipt_for=receipt_for, challenge=challenge, reply=answer.reply, identity_keys=identity_keys
    )
    return KeptReceipt(
        receipt_for=receipt_for,
        challenge=challenge,
        ceremony=ceremony,
        reply_sha256=hashlib.sha256(answer.reply).digest(),
        reply=None if receipt_for in _REPLY_NOT_KEPT else answer.reply,
        position=position,
        identity_key=identity_keys[answer.receipt.identity_fingerprint],
        signature=answer.receipt.signature,
        verified_at=now,
    )


def _service(session: Session, reply: vault_service_pb2.ServiceInfoReply, bundle: VerifiedBundle) -> Service:
    settings = session.settings
    if reply.tenant != settings.owner.tenant:
        raise ReplyMismatch(f"the vault takes this account token for one of tenant {reply.tenant[:64]!r}")
    if settings.rp_id not in {None, reply.rp_id}:
        raise ReplyMismatch(f"the vault's RP ID is {reply.rp_id[:253]!r}, not {settings.rp_id!r}")
    origin = settings.origin or next(iter(reply.origins), "")
    if origin not in reply.origins:
        raise ReplyMismatch("the vault does not accept this client's origin")
    return Service(
        tenant=reply.tenant,
        rp_id=reply.rp_id,
        origin=origin,
        algorithms=tuple(number for number in reply.algorithms if number in _KNOWN_ALGORITHMS),
        max_envelope_bytes=reply.max_envelope_bytes,
        policy=describe_policy(reply.policy),
        bundle=bundle,
        keeper_time=millis_of(reply.keeper_time, otherwise=ReplyMismatch),
        development=reply.development,
    )
