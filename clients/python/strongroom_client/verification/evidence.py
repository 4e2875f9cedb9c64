"""Evidence: who signed for each event of a history, checked again without any key of the vault's.

From the oldest event on, the credentials are followed as registrations and additions bring them (lives.py), so that
every assertion is checked with a key that the account itself brought, over the challenge of a ceremony that began at
exactly the state before it. The chain heads are the vault's word, which its receipts hold it to. What is found is named
and not raised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.verification.lives import Account, Life
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
_SIGNED_BY_NOBODY = frozenset(
    {
        event_pb2.EVENT_KIND_RESET,
        event_pb2.EVENT_KIND_ERASE_ACCOUNT,
        event_pb2.EVENT_KIND_CANCEL_ERASE_ACCOUNT,
        event_pb2.EVENT_KIND_SWEEP,
        event_pb2.EVENT_KIND_REWRAP,
    }
)
_OF_RECOVERY = frozenset({"release", "add_credential", "reopen"})


@dataclass(frozen=True, slots=True)
class EvidenceFlaw:
    """An event whose evidence does not hold: its version, and why."""

    version: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a ceremony says: its statement, the request in it, the operation's name, and its challenge."""

    statement: ceremony_pb2.Statement
    request: ceremony_pb2.CeremonyRequest
    operation: str
    challenge: bytes

    @property
    def about_set_aside(self) -> bool:
        return self.request.reopen.target == ceremony_pb2.REOPEN_TARGET_SET_ASIDE


@dataclass(slots=True)
class _Walk:
    """Where the walk is: the owner, what has become of the account, and the position before the next event."""

    owner: tuple[str, str]
    account: Account
    before: Position = GENESIS


def examine_evidence(events: Iterable[event_pb2.Event], *, tenant: str, account: str) -> tuple[EvidenceFlaw, ...]:
    """Return what does not hold in a whole history, in whichever order it is listed."""
    flaws, walk = list[EvidenceFlaw](), _Walk((tenant, account), Account())
    for event in sorted(events, key=lambda one: one.version):
        try:
            _examine(event, walk)
        except NotSigned as why:
            flaws.append(EvidenceFlaw(event.version, str(why)))
        walk.before = Position(event.version, event.chain_head)
    return tuple(flaws)


def _examine(event: event_pb2.Event, walk: _Walk) -> None:
    if event.kind in _SIGNED_BY_NOBODY:
        walk.account.sweep(event)
        walk.account.follow_order(event)
        return
    asked = _read(event.ceremony)
    if event.kind != _kind_of(asked.operation):
        raise NotSigned(f"its ceremony was for another operation ({asked.operation})")
    if not asked.about_set_aside:
        walk.account.settle(asked.statement.credential_set_sha256)
    try:
        _check_statement(asked, walk, swept=event)
        if event.about_set_aside != asked.about_set_aside:
            raise NotSigned("its ceremony was about another life")
        _check_signed(asked, event, walk)
    finally:
        walk.account.follow(asked.request, event)  # what the vault did stands, even without a right to it


def _read(ceremony: bytes) -> _Asked:
    try:
        statement = ceremony_pb2.Statement.FromString(ceremony[:-_TAG_BYTES])
        request = ceremony_pb2.CeremonyRequest.FromString(statement.request)
    except DecodeError:
        raise NotSigned("its ceremony does not parse") from None
    operation = request.WhichOneof("operation") or ""
    return _Asked(statement=statement, request=request, operation=operation, challenge=challenge_of(ceremony))


def _kind_of(operation: str) -> int | None:
    try:
        return event_pb2.EventKind.Value(f"EVENT_KIND_{operation.upper()}")
    except ValueError:
        return None


def _check_statement(asked: _Asked, walk: _Walk, *, swept: event_pb2.Event | None = None) -> None:
    """Check that a ceremony began for this account, at exactly the state before the event.

    What was due by the time of the event may have been there still when the ceremony began, or not any more.
    """
    statement = asked.statement
    if (statement.tenant, statement.account) != walk.owner:
        raise NotSigned("its ceremony was another account's")
    if Position(statement.version, statement.chain_head) != walk.before:
        raise NotSigned("its ceremony began at another state than the one before it")
    possible = {_digest(asked, walk)}
    if swept is not None:
        walk.account.sweep(swept)
        possible.add(_digest(asked, walk))
    if statement.credential_set_sha256 not in possible:
        raise NotSigned("its ceremony was for other credentials than the history brought")


def _digest(asked: _Asked, walk: _Walk) -> bytes:
    return walk.account.subject(about_set_aside=asked.about_set_aside).credentials.digest


def _check_signed(asked: _Asked, event: event_pb2.Event, walk: _Walk) -> None:
    if event.kind == event_pb2.EVENT_KIND_REGISTER:
        _check_attested(asked, event)
        return
    life = walk.account.subject(about_set_aside=asked.about_set_aside)
    if event.outcome not in _COUNTED:
        _check_right(asked, event, life)
        if event.kind == event_pb2.EVENT_KIND_ADD_CREDENTIAL and event.outcome == event_pb2.EVENT_OUTCOME_GRANTED:
            _check_addition(asked, event, walk)
        return
    try:
        _check_right(asked, event, life)
    except NotSigned:
        return
    raise NotSigned("a failure was counted although the signature is right")


def _check_attested(asked: _Asked, event: event_pb2.Event) -> None:
    statement = asked.statement
    check_attestation(event.attestation, challenge=asked.challenge, rp_id=statement.rp_id, origins=statement.origins)


def _check_addition(asked: _Asked, event: event_pb2.Event, walk: _Walk) -> None:
    """Check that the passkey that was let in attested itself for this account, and is the one that was named."""
    attest = _read(event.attest_ceremony)
    if attest.operation != "attest":
        raise NotSigned("the new passkey attested itself in a ceremony for something else")
    _check_statement(attest, walk)
    _check_attested(attest, event)
    brought, named = attested_credential(event.attestation), asked.request.add_credential
    if brought.credential_id != named.credential_id:
        raise NotSigned("another passkey was let in than the one that was signed for")
    if hashlib.sha256(brought.cose_key).digest() != named.cose_key_sha256:
        raise NotSigned("a passkey was let in with another key than was signed for")


def _check_right(asked: _Asked, event: event_pb2.Event, life: Life) -> None:
    """Check that a credential known from the history signed, and where it was granted, by the policy."""
    if event.assertion.WhichOneof("kind") == "recovery":
        if not life.is_live or event.assertion.recovery.public_key != life.recovery:
            raise NotSigned("the recovery key that signed is not the account's")
        if asked.operation not in _OF_RECOVERY:
            raise NotSigned(f"the recovery key has no say in {asked.operation}")
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
