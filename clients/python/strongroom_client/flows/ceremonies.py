"""Ceremonies: begun, checked before anybody is prompted, completed, and completed again when the answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.authenticators.port import Assertion, AuthenticatorError
from strongroom_client.descriptions import Service
from strongroom_client.envelope import PRF_INPUT
from strongroom_client.errors import BeginAgain, OutcomeUnknown, ReceiptInvalid, Unavailable, UnpinnedVault
from strongroom_client.flows.answers import Verified, current_service, verify_answer
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Pause, Rpc, UsePasskey, call, use_passkey
from strongroom_client.verification.credential_sets import CredentialSet, credential_set
from strongroom_client.verification.receipts import ReceiptFor
from strongroom_client.verification.statements import CheckedCeremony, Expected, check_ceremony

CLIENT_RANDOM_BYTES: Final = 32
RESEND_PAUSES_SECONDS: Final = (0.2, 0.8, 2.0)
"""How long to wait before each further try of a completion whose answer was lost."""

_Result = TypeVar("_Result")
_Answer = TypeVar(
    "_Answer",
    vault_service_pb2.CompleteRegistrationResponse,
    vault_service_pb2.StoreEnvelopeResponse,
    vault_service_pb2.ReleaseEnvelopeResponse,
    vault_service_pb2.DeleteVaultResponse,
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony that may be signed, and the credentials of the record that it began at."""

    checked: CheckedCeremony
    credentials: CredentialSet
    service: Service


def expected_mode(session: Session, chosen: Mode | None) -> Mode:
    """Return `chosen`, or else what this device locked with before, or else PRF: vault_held is never taken unasked.

    Raises:
        UnpinnedVault: vault_held, whose only lock is the vault, without a pinned identity key.
    """
    mode = chosen or session.memory.mode or Mode.PRF
    if mode is Mode.VAULT_HELD and session.settings.trust.unpinned:
        raise UnpinnedVault("mode vault-held rests on the vault alone, so that its identity key must be pinned")
    return mode


def begin(session: Session, request: ceremony_pb2.CeremonyRequest, *, mode: Mode) -> Flow[Begun]:
    """Begin a ceremony for `request`, and check that what came back is about exactly that.

    Raises:
        NotProven: it is not.
    """
    service = yield from current_service(session)
    serialized = request.SerializeToString()
    answer = yield from call(
        Rpc.BEGIN_CEREMONY,
        vault_service_pb2.BeginCeremonyRequest(request=serialized),
        vault_service_pb2.BeginCeremonyResponse,
    )
    listed = credential_set(answer.credentials, recovery_public_key=answer.recovery_public_key)
    memory, owner = session.memory, session.settings.owner
    expected = Expected(
        request=serialized,
        tenant=owner.tenant,
        account=owner.account,
        rp_id=service.rp_id,
        origin=service.origin,
        mode=mode.wire,
        known=memory.position,
        listed_digest=listed.digest,
        known_digest=None if memory.credentials is None else memory.credentials.digest,
        now=session.clock(),
    )
    return Begun(check_ceremony(answer.ceremony, expected=expected), listed, service)


def sign(begun: Begun) -> Flow[Assertion]:
    """Ask the authenticator to sign a ceremony with one of the record's passkeys.

    Raises:
        AuthenticatorError: it did not, or with another credential.
    """
    assertion = yield from use_passkey(
        UsePasskey(
            rp_id=begun.service.rp_id,
            origin=begun.service.origin,
            challenge=begun.checked.challenge,
            allow=begun.credentials.ids,
            prf_input=PRF_INPUT,
        )
    )
    if assertion.credential_id not in begun.credentials.ids:
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
    answer = yield from _call_until_answered(session, begun, rpc, request, response)
    verified = yield from verify_answer(
        session, answer, receipt_for=receipt_for, challenge=begun.checked.challenge, ceremony=begun.checked.ceremony
    )
    # A ceremony lives at one version of the record, and completing it makes exactly the next.
    if verified.position.version != begun.checked.position.version + 1:
        raise ReceiptInvalid("the receipt's version is not the one that this ceremony made")
    return verified


def _call_until_answered(
    session: Session, begun: Begun, rpc: Rpc, request: Message, response: type[_Answer]
) -> Flow[_Answer]:
    for pause in RESEND_PAUSES_SECONDS:
        try:
            return (yield from call(rpc, request, response))
        except (Unavailable, OutcomeUnknown):
            if session.clock() + pause * 1_000 >= begun.checked.expires_at:
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
