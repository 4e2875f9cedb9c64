"""Ceremonies: begun, checked before anybody is prompted, completed, and completed again when the answer was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.authenticators.port import Assertion, AuthenticatorError, NoMatchingCredential
from strongroom_client.clock import Clock, Millis
from strongroom_client.descriptions import Service
from strongroom_client.envelope import PRF_INPUT
from strongroom_client.errors import (
    BeginAgain,
    Exhausted,
    NoVault,
    OutcomeUnknown,
    ReceiptInvalid,
    Unavailable,
    UnpinnedVault,
    VaultClosed,
)
from strongroom_client.flows.answers import SignedAnswer, Verified, current_service, tell, verify_answer
from strongroom_client.flows.reading import look
from strongroom_client.memory import Mode
from strongroom_client.notices import credentials_changed, pending_notices
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Pause, Rpc, UsePasskey, call, use_passkey
from strongroom_client.verification.credential_sets import CredentialSet, credential_set
from strongroom_client.verification.receipts import ReceiptFor
from strongroom_client.verification.statements import CheckedCeremony, Expected, check_ceremony

CLIENT_RANDOM_BYTES: Final = 32
RESEND_PAUSES_SECONDS: Final = (0.2, 0.8, 2.0)
"""How long to wait before each further try of a completion whose answer was lost."""
NONCE_KNOWN_MS: Final = 120 * 1000
"""How long the vault knows again the nonce of a change without a ceremony."""

_Result = TypeVar("_Result")
_Answer = TypeVar("_Answer", bound=SignedAnswer)


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony that may be signed, and the credentials of the life that it is about."""

    checked: CheckedCeremony
    credentials: CredentialSet
    service: Service
    mode: Mode
    about_set_aside: bool


def expected_mode(session: Session, chosen: Mode | None) -> Mode:
    """Return `chosen`, or else what this device locked with before, or else PRF: vault_held is never taken unasked.

    Raises:
        UnpinnedVault: vault_held, whose only lock is the vault, without a pinned identity key.
    """
    mode = chosen or session.memory.mode or Mode.PRF
    if mode is Mode.VAULT_HELD and session.settings.trust.unpinned:
        raise UnpinnedVault("mode vault-held rests on the vault alone, so that its identity key must be pinned")
    return mode


def begin(
    session: Session, request: ceremony_pb2.CeremonyRequest, *, mode: Mode, may_lock_better: bool = False
) -> Flow[Begun]:
    """Begin a ceremony for `request`, and check that what came back is about exactly that.

    `may_lock_better`: a vault that was moved from vault_held to PRF elsewhere will do as well; never the other way.

    Raises:
        NotProven: it is not.
    """
    service = yield from current_service(session)
    serialized = request.SerializeToString()
    answer = yield from _ask(session, serialized)
    listed = credential_set(answer.credentials, recovery_public_key=answer.recovery_public_key)
    memory, owner, now = session.memory, session.settings.owner, session.clock()
    modes = mode.no_weaker if may_lock_better else frozenset({mode})
    about_set_aside = request.reopen.target == ceremony_pb2.REOPEN_TARGET_SET_ASIDE
    expected = Expected(
        request=serialized,
        tenant=owner.tenant,
        account=owner.account,
        rp_id=service.rp_id,
        origin=service.origin,
        modes=frozenset(one.wire for one in modes),
        known=memory.position,
        listed_digest=listed.digest,
        known_digest=memory.digest_at(memory.position.version, about_set_aside=about_set_aside, now=now),
        about_set_aside=about_set_aside,
        now=now,
    )
    checked = check_ceremony(answer.ceremony, expected=expected)
    yield from tell(session, pending_notices(checked.pending))
    found = next(one for one in modes if one.wire == checked.mode)
    return Begun(checked, listed, service, found, about_set_aside)


def _ask(session: Session, request: bytes) -> Flow[vault_service_pb2.BeginCeremonyResponse]:
    """Ask for a ceremony. Where the vault says that it has none, find out what it has signed to be there.

    Raises:
        VaultRefused: it refuses.
        VaultWentBack: it says so although this device remembers more.
    """
    message = vault_service_pb2.BeginCeremonyRequest(request=request)
    try:
        return (yield from call(Rpc.BEGIN_CEREMONY, message, vault_service_pb2.BeginCeremonyResponse))
    except (NoVault, Exhausted, VaultClosed):
        if session.memory.credentials is None:
            raise
        yield from look(session)
        raise


def sign(begun: Begun, *, allow: Sequence[bytes] | None = None, further: bool = False) -> Flow[Assertion]:
    """Ask the authenticator to sign a ceremony with one of the record's passkeys, or of those in `allow`.

    Raises:
        AuthenticatorError: it did not, or with another credential.
    """
    allowed = begun.credentials.ids if allow is None else tuple(allow)
    if not allowed:  # which an authenticator would take for "any"
        raise NoMatchingCredential("the vault has no passkey that may sign this")
    assertion = yield from use_passkey(
        UsePasskey(
            rp_id=begun.service.rp_id,
            origin=begun.service.origin,
            challenge=begun.checked.challenge,
            allow=allowed,
            prf_input=PRF_INPUT,
            further=further,
        )
    )
    if assertion.credential_id not in allowed:
        raise AuthenticatorError("the authenticator signed with a passkey that the vault does not have")
    return assertion


def complete(
    session: Session, begun: Begun, rpc: Rpc, request: Message, response: type[_Answer], *, receipt_for: ReceiptFor
) -> Flow[Verified]:
    """Complete a ceremony and verify the answer. A lost answer is asked for again with the same bytes.

    That costs neither a prompt nor an attempt: until the ceremony ends, the vault gives a granted completion the same
    answer again.

    Raises:
        OutcomeUnknown: no answer came; the change may stand.
        VaultRefused: the vault refused.
        ReceiptInvalid: the answer is not signed for this ceremony.
    """
    answer = yield from call_until_answered(session.clock, rpc, request, response, until=begun.checked.expires_at)
    verified = yield from verify_answer(
        session, answer, receipt_for=receipt_for, challenge=begun.checked.challenge, ceremony=begun.checked.ceremony
    )
    # A ceremony lives at one version of the record, and completing it makes exactly the next.
    if verified.position.version != begun.checked.position.version + 1:
        raise ReceiptInvalid("the receipt's version is not the one that this ceremony made")
    # The keeper has taken the ceremony, so that what its statement says of the record before is the keeper's word.
    session.memory = replace(session.memory, pending=begun.checked.pending)
    known = session.memory.credentials
    if known is not None and not begun.about_set_aside:
        yield from tell(session, credentials_changed(known=known, shown=begun.credentials))
    return verified


def call_until_answered(
    clock: Clock, rpc: Rpc, request: Message, response: type[_Answer], *, until: Millis
) -> Flow[_Answer]:
    """Call with the same bytes until there is an answer; the vault knows them again before `until`.

    Raises:
        OutcomeUnknown: none came; the change may stand.
        VaultRefused: the vault refused.
    """
    for pause in RESEND_PAUSES_SECONDS:
        try:
            return (yield from call(rpc, request, response))
        except (Unavailable, OutcomeUnknown):
            if clock() + pause * 1_000 >= until:
                break
        yield Pause(pause)
    try:
        return (yield from call(rpc, request, response))
    except (Unavailable, OutcomeUnknown) as lost:
        raise OutcomeUnknown("the vault did not answer; whether it did what was asked is not known") from lost


def once_more(flow: Callable[[], Flow[_Result]]) -> Flow[_Result]:
    """Run a flow, and once more where another change came between: that needs a new prompt, so it is done once."""
    try:
        return (yield from flow())
    except BeginAgain:
        return (yield from flow())
