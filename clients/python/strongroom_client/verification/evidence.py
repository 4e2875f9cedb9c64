"""Evidence: who signed for each event of a history, checked again without any key of the vault's.

From the oldest event on, the credentials are followed as registrations bring them, so that every assertion is checked
with a key that the account itself brought, over the challenge of a ceremony that began at exactly the state before it.
The chain heads are the vault's word, which its receipts hold it to. What is found is named and not raised.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.statements import challenge_of
from strongroom_client.verification.webauthn import (
    NotSigned,
    attested_credential,
    check_assertion,
    check_assertion_policy,
    check_attestation,
    check_recovery_signature,
)

_TAG_BYTES = 32
_COUNTED = frozenset({event_pb2.EVENT_OUTCOME_FAILED, event_pb2.EVENT_OUTCOME_EXHAUSTED})
_QUARANTINES = "counter_regression"


@dataclass(frozen=True, slots=True)
class EvidenceFlaw:
    """An event whose evidence does not hold: its version, and why."""

    version: int
    said: str


@dataclass(slots=True)
class _Life:
    """What the history has made of the account's credentials so far."""

    passkeys: dict[bytes, bytes] = field(default_factory=dict)
    recovery: bytes = b""
    is_live: bool = False
    quarantined: set[bytes] = field(default_factory=set)

    def clear(self) -> None:
        """Nothing is left."""
        self.passkeys, self.recovery, self.is_live, self.quarantined = {}, b"", False, set()

    @property
    def credentials(self) -> CredentialSet:
        """The credentials that may sign; the recovery credential counts from the first store on."""
        passkeys = tuple(sorted(PublicCredential(*pair) for pair in self.passkeys.items()))
        return CredentialSet(passkeys, self.recovery if self.is_live else b"")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a ceremony says: its statement, the request in it, and its challenge."""

    statement: ceremony_pb2.Statement
    request: ceremony_pb2.CeremonyRequest
    challenge: bytes


def examine_evidence(events: Iterable[event_pb2.Event], *, tenant: str, account: str) -> tuple[EvidenceFlaw, ...]:
    """Return what does not hold in a whole history, in whichever order it is listed."""
    flaws, life, before = list[EvidenceFlaw](), _Life(), GENESIS
    for event in sorted(events, key=lambda one: one.version):
        try:
            asked = _read(event)
            try:
                _check_statement(asked, before=before, life=life, owner=(tenant, account))
                _check_signed(asked, event, life)
            finally:
                _follow(asked, event, life)  # what the vault did stands, even without a right to it
        except NotSigned as why:
            flaws.append(EvidenceFlaw(event.version, str(why)))
        before = Position(event.version, event.chain_head)
    return tuple(flaws)


def _read(event: event_pb2.Event) -> _Asked:
    try:
        statement = ceremony_pb2.Statement.FromString(event.ceremony[:-_TAG_BYTES])
        request = ceremony_pb2.CeremonyRequest.FromString(statement.request)
    except DecodeError:
        raise NotSigned("its ceremony does not parse") from None
    operation = request.WhichOneof("operation")
    if operation is None or event.kind != _kind_of(operation):
        raise NotSigned(f"its ceremony was for another operation ({operation})")
    return _Asked(statement, request, challenge_of(event.ceremony))


def _kind_of(operation: str) -> int | None:
    try:
        return event_pb2.EventKind.Value(f"EVENT_KIND_{operation.upper()}")
    except ValueError:
        return None


def _check_statement(asked: _Asked, *, before: Position, life: _Life, owner: tuple[str, str]) -> None:
    """Check that the ceremony began for this account, at exactly the state before the event."""
    statement = asked.statement
    if (statement.tenant, statement.account) != owner:
        raise NotSigned("its ceremony was another account's")
    if Position(statement.version, statement.chain_head) != before:
        raise NotSigned("its ceremony began at another state than the one before it")
    if statement.credential_set_sha256 != life.credentials.digest:
        raise NotSigned("its ceremony was for other credentials than the history brought")


def _check_signed(asked: _Asked, event: event_pb2.Event, life: _Life) -> None:
    statement = asked.statement
    if event.HasField("attestation"):
        check_attestation(
            event.attestation, challenge=asked.challenge, rp_id=statement.rp_id, origins=statement.origins
        )
        return
    if event.outcome not in _COUNTED:
        _check_right(asked, event, life)
        return
    try:
        _check_right(asked, event, life)
    except NotSigned:
        return
    raise NotSigned("a failure was counted although the signature is right")


def _check_right(asked: _Asked, event: event_pb2.Event, life: _Life) -> None:
    """Check that a credential known from the history signed, and where it was granted, by the policy."""
    if event.assertion.WhichOneof("kind") == "recovery":
        if not life.is_live or event.assertion.recovery.public_key != life.recovery:
            raise NotSigned("the recovery key that signed is not the account's")
        check_recovery_signature(event.assertion.recovery, challenge=asked.challenge)
        return
    made = event.assertion.webauthn
    cose_key = life.passkeys.get(made.credential_id)
    if cose_key is None or cose_key != event.cose_key:
        raise NotSigned("the passkey that signed is not one that the history brought")
    check_assertion(made, cose_key=cose_key, challenge=asked.challenge, rp_id=asked.statement.rp_id)
    if event.outcome == event_pb2.EVENT_OUTCOME_GRANTED:
        check_assertion_policy(made, origins=asked.statement.origins)
        if made.credential_id in life.quarantined:
            raise NotSigned("the passkey that signed was quarantined")


def _follow(asked: _Asked, event: event_pb2.Event, life: _Life) -> None:
    """Change the credentials as the event did."""
    if event.outcome == event_pb2.EVENT_OUTCOME_EXHAUSTED:
        life.clear()
    elif event.outcome == event_pb2.EVENT_OUTCOME_REFUSED and event.reason == _QUARANTINES:
        life.quarantined.add(event.assertion.webauthn.credential_id)
    elif event.outcome == event_pb2.EVENT_OUTCOME_GRANTED:
        _follow_granted(asked, event, life)


def _follow_granted(asked: _Asked, event: event_pb2.Event, life: _Life) -> None:
    match event.kind:
        case event_pb2.EVENT_KIND_REGISTER:
            life.clear()
            life.recovery = asked.request.register.recovery_public_key
            brought = attested_credential(event.attestation)
            life.passkeys[brought.credential_id] = brought.cose_key
        case event_pb2.EVENT_KIND_STORE:
            life.is_live = True
        case event_pb2.EVENT_KIND_DELETE:
            life.clear()
