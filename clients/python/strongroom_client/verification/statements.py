"""Statements: what a ceremony is about, checked in clear before the authenticator signs for it.

    ceremony  = serialized strongroom.v1.Statement || 32-byte HMAC of the keeper's
    challenge = SHA-256 of fields("strongroom/v1/challenge", ceremony)

The client cannot check the HMAC and need not: a ceremony that is no keeper's is refused by the keeper. What matters
here is that the passkey never signs a challenge that stands for anything but the client's own request.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import ModeNotExpected, StatementMismatch
from strongroom_client.fields import hash_fields
from strongroom_client.pending import Pending
from strongroom_client.timestamps import millis_of, optional_millis
from strongroom_client.verification.positions import HEAD_BYTES, Position, check_goes_on

FORMAT: Final = 1
MAX_LIFE_MS: Final = 300 * 1000
_CLOCK_TOLERANCE_MS = 5 * 60 * 1000
_TAG_BYTES = 32
_MAX_CEREMONY_BYTES = 8 * 1024
_RANDOM_BYTES = 32
_LABEL = "strongroom/v1/challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a statement must say.

    Attributes:
        request: the exact bytes that were sent.
        tenant, account: whose ceremony it is.
        rp_id: as the vault's signed description has it.
        origin: the origin that the authenticator will be told.
        modes: how the envelope may be, or will be, locked.
        known: version and head that this device remembers.
        listed_digest: digest of the credentials listed beside the ceremony.
        known_digest: digest of the credentials that this device remembers at `known`; None where it remembers none.
        about_set_aside: whether what a reset has set aside is meant; credentials are then those of that life.
        now: this device's time.
    """

    request: bytes
    tenant: str
    account: str
    rp_id: str
    origin: str
    modes: frozenset[resources_pb2.Mode.ValueType]
    known: Position
    listed_digest: bytes
    known_digest: bytes | None
    about_set_aside: bool
    now: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCeremony:
    """A ceremony that may be signed: its bytes, its challenge (32 bytes), where it began and when it ends.

    `mode` is how the envelope is locked, one of those expected. `pending` is what waits to be erased: the keeper's word
    once it has taken the ceremony.
    """

    ceremony: bytes
    challenge: bytes
    position: Position
    mode: resources_pb2.Mode.ValueType
    expires_at: Millis
    pending: Pending


def challenge_of(ceremony: bytes) -> bytes:
    """Return the WebAuthn challenge (32 bytes) of a ceremony."""
    return hash_fields(_LABEL, ceremony)


def check_ceremony(ceremony: bytes, *, expected: Expected) -> CheckedCeremony:
    """Read the statement of a ceremony and compare all of it with what is expected.

    Raises:
        StatementMismatch: it is about anything else; ModeNotExpected where the vault alone holds the envelope.
        VaultWentBack: it began at an older version than is known, or at another history.
    """
    statement = _read(ceremony)
    position = Position(statement.version, statement.chain_head)
    if not hmac.compare_digest(statement.request, expected.request):
        raise StatementMismatch("the ceremony is about another request than this client's")
    _require_equal("tenant", statement.tenant, expected.tenant)
    _require_equal("account", statement.account, expected.account)
    _require_equal("RP ID", statement.rp_id, expected.rp_id)
    _check_mode(statement.mode, expected=expected.modes)
    if expected.origin not in statement.origins:
        raise StatementMismatch("the ceremony does not accept this client's origin")
    check_goes_on(position, known=expected.known)
    if statement.credential_set_sha256 != expected.listed_digest:
        raise StatementMismatch("the ceremony is about other credentials than were listed with it")
    if position == expected.known and expected.known_digest not in {None, expected.listed_digest}:
        raise StatementMismatch("the ceremony is about other credentials than this device knows at that version")
    if expected.about_set_aside and not statement.HasField("set_aside_erase_time"):
        raise StatementMismatch("the ceremony says that nothing is set aside")
    expires_at = millis_of(statement.expire_time, otherwise=StatementMismatch)
    _check_expiry(expires_at, now=expected.now)
    return CheckedCeremony(
        ceremony=ceremony,
        challenge=challenge_of(ceremony),
        position=position,
        mode=statement.mode,
        expires_at=expires_at,
        pending=_pending(statement),
    )


def _pending(statement: ceremony_pb2.Statement) -> Pending:
    return Pending(
        set_aside_erase_at=optional_millis(statement, "set_aside_erase_time", otherwise=StatementMismatch),
        account_erase_at=optional_millis(statement, "account_erase_time", otherwise=StatementMismatch),
    )


def _read(ceremony: bytes) -> ceremony_pb2.Statement:
    if not _TAG_BYTES < len(ceremony) <= _MAX_CEREMONY_BYTES:
        raise StatementMismatch("the ceremony is not of a ceremony's size")
    try:
        statement = ceremony_pb2.Statement.FromString(ceremony[:-_TAG_BYTES])
    except DecodeError:
        raise StatementMismatch("the statement does not parse") from None
    # A field that this client does not know may change what the signature means.
    if statement.format != FORMAT or len(UnknownFieldSet(statement)) > 0:
        raise StatementMismatch("the statement is of a format that this client does not know")
    if len(statement.chain_head) != HEAD_BYTES or len(statement.keeper_random) != _RANDOM_BYTES:
        raise StatementMismatch("the statement is incomplete")
    return statement


def _check_mode(stated: resources_pb2.Mode.ValueType, *, expected: frozenset[resources_pb2.Mode.ValueType]) -> None:
    if stated in expected:
        return
    if stated == resources_pb2.MODE_VAULT_HELD:
        raise ModeNotExpected("the vault says that it alone holds this account's envelope (mode vault-held)")
    raise StatementMismatch("the ceremony is for an envelope locked in another mode")


def _require_equal(what: str, stated: str, expected: str) -> None:
    if stated != expected:
        raise StatementMismatch(f"the ceremony is for {what} {stated[:80]!r}, not {expected!r}")


def _check_expiry(expires_at: Millis, *, now: Millis) -> None:
    if now >= expires_at + _CLOCK_TOLERANCE_MS:
        raise StatementMismatch("the ceremony is over already; is this device's clock right?")
    if expires_at > now + MAX_LIFE_MS + _CLOCK_TOLERANCE_MS:
        raise StatementMismatch("the ceremony lives longer than any ceremony may; is this device's clock right?")
