"""Statements and ceremonies.

    statement = serialized strongroom.v1.Statement
    ceremony  = statement || HMAC-SHA256(ceremony key; fields("strongroom/v1/ceremony", statement))
    challenge = SHA-256 of fields("strongroom/v1/challenge", ceremony)

The ceremony key is derived from the seal key of the statement's epoch. The client computes the challenge itself, after
it has found its own request in the statement: a front cannot make a passkey sign for anything else.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Literal

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.v1 import ceremony_pb2
from strongroom_service.domain.ceremonies import Statement
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.fields import encode_fields, hash_fields
from strongroom_service.keeper.formats.enums import MODES
from strongroom_service.keeper.formats.request import parse_request

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
TAG_BYTES = 32
MAX_CEREMONY_BYTES = 8 * 1024
_CEREMONY_LABEL = "strongroom/v1/ceremony"
_CHALLENGE_LABEL = "strongroom/v1/challenge"
_MILLIS = 1_000_000


def challenge_of(ceremony: bytes) -> bytes:
    """Return the WebAuthn challenge (32 bytes) of a ceremony."""
    return hash_fields(_CHALLENGE_LABEL, ceremony)


def make_ceremony(statement: Statement, *, ceremony_key: bytes) -> bytes:
    """Serialize and authenticate a statement."""
    message = ceremony_pb2.Statement(
        format=FORMAT,
        request=statement.request_bytes,
        tenant=statement.tenant,
        account=statement.account,
        version=statement.version,
        chain_head=statement.chain_head,
        credential_set_sha256=statement.credential_set_sha256,
        mode=MODES[statement.mode],
        rp_id=statement.rp_id,
        origins=statement.origins,
        seal_epoch=statement.seal_epoch,
        expire_time=timestamp_of(statement.expires_at),
        keeper_random=statement.keeper_random,
        set_aside_erase_time=optional_timestamp_of(statement.set_aside_erase_at),
        account_erase_time=optional_timestamp_of(statement.account_erase_at),
    )
    serialized = message.SerializeToString(deterministic=True)
    return serialized + _tag(serialized, ceremony_key=ceremony_key)


def read_ceremony(ceremony: bytes, *, field: str, ceremony_keys: Mapping[int, bytes]) -> Statement:
    """Return the statement of a ceremony that a keeper of this vault made; it came in this `field`.

    Raises:
        InvalidField: the ceremony is missing or too long.
        Refusal: CEREMONY_REJECTED, unjudged: it is not one of ours.
    """
    if not TAG_BYTES < len(ceremony) <= MAX_CEREMONY_BYTES:
        raise InvalidField(field=field, rule=f"must be {TAG_BYTES + 1} to {MAX_CEREMONY_BYTES} bytes")
    serialized, tag = ceremony[:-TAG_BYTES], ceremony[-TAG_BYTES:]
    matches = [key for key in ceremony_keys.values() if hmac.compare_digest(_tag(serialized, ceremony_key=key), tag)]
    if not matches:
        raise Refusal(Reason.CEREMONY_REJECTED, detail="the tag is not ours")
    try:
        message = ceremony_pb2.Statement.FromString(serialized)
        expires_at = Millis(message.expire_time.ToMilliseconds())
        set_aside_erase_at = _optional_millis(message, "set_aside_erase_time")
        account_erase_at = _optional_millis(message, "account_erase_time")
    except (DecodeError, ValueError) as error:  # ValueError: a timestamp out of its range
        raise Refusal(Reason.CEREMONY_REJECTED, detail="a tagged statement does not parse") from error
    if message.format != FORMAT:
        raise Refusal(Reason.CEREMONY_REJECTED, detail="a statement of another format")
    return Statement(
        request=parse_request(message.request),
        request_bytes=message.request,
        tenant=message.tenant,
        account=message.account,
        version=message.version,
        chain_head=message.chain_head,
        credential_set_sha256=message.credential_set_sha256,
        mode=MODES.inverse(message.mode),
        rp_id=message.rp_id,
        origins=tuple(message.origins),
        seal_epoch=message.seal_epoch,
        expires_at=expires_at,
        keeper_random=message.keeper_random,
        set_aside_erase_at=set_aside_erase_at,
        account_erase_at=account_erase_at,
    )


def optional_timestamp_of(at: Millis | None) -> Timestamp | None:
    """Return `at` as a protobuf Timestamp, or None for none."""
    return None if at is None else timestamp_of(at)


def timestamp_of(at: Millis) -> Timestamp:
    """Return `at` as a protobuf Timestamp."""
    return Timestamp(seconds=at // 1_000, nanos=at % 1_000 * _MILLIS)


def _optional_millis(
    message: ceremony_pb2.Statement, field: Literal["set_aside_erase_time", "account_erase_time"]
) -> Millis | None:
    return Millis(getattr(message, field).ToMilliseconds()) if message.HasField(field) else None


def _tag(serialized: bytes, *, ceremony_key: bytes) -> bytes:
    return hmac.digest(ceremony_key, encode_fields(_CEREMONY_LABEL, serialized), "sha256")
