"""What the keeper reads: from its socket, from the database, and from clients through a front that may be hostile."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.message import DecodeError, Message

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom_service.domain.errors import InvalidField, RecordRejected, Refusal
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.formats.event_codec import decode_event
from strongroom_service.keeper.formats.feed_cursor import make_cursor, read_cursor
from strongroom_service.keeper.formats.hpke import open_from_client
from strongroom_service.keeper.formats.page_token import PageStart, make_page_token, read_page_token
from strongroom_service.keeper.formats.record_codec import decode_record
from strongroom_service.keeper.formats.request import parse_request
from strongroom_service.keeper.formats.sealing import FORMAT, Kind, OneTimeKey, parse_header
from strongroom_service.keeper.formats.statement import read_ceremony
from strongroom_service.keeper.formats.vault_row import decode_vault
from strongroom_service.link.frames import FrameError, FrameReader, encode_frame
from tests.fakes.message_fields import BYTES, NUMBERS, TEXT, Leaf, leaves
from tests.fakes.operator_desk import OperatorDesk
from tests.fakes.person import retag
from tests.fuzz import honest
from tests.fuzz.target import Target

KEY = bytes(32)
RECORD_ID = b"r" * 32
CHALLENGE = b"c" * 32
PRIVATE_KEY = X25519PrivateKey.from_private_bytes(b"k" * 32)
FAULTS = {"RecordRejected", "Misconfigured"}
REPLIES = {"open_vault", "probe", "begin", "judge", "signed", "refusal", "stale"}


def frames(data: bytes) -> None:
    """Read frames and let the keeper answer each call in them."""
    for payload in FrameReader().feed(data):
        keeper_call(payload)


def keeper_call(data: bytes) -> None:
    """Let the keeper answer one call; its own handler gives an answer to everything, and no `INTERNAL`."""
    desk = honest.alice().desk
    reply = desk.handler.handle(frames_pb2.KeeperCall.FromString(data))
    desk.log.lines.clear()
    kind = reply.WhichOneof("reply")
    if kind not in REPLIES and not (kind == "fault" and reply.fault.kind in FAULTS):
        raise AssertionError(f"{kind} {reply.fault.kind}")
    if desk.handler.spent:
        raise AssertionError("a call took the keeper's token session")


def keeper_field(data: bytes) -> None:
    """Let the keeper answer a call that is good but for one field: the first bytes choose, the others take its place.

    Changes of a whole message's bytes seldom leave it one; these always do.
    """
    which, where, content = data[:1], data[1:2], data[2:]
    calls = honest.keeper_calls()
    call = frames_pb2.KeeperCall()
    call.CopyFrom(calls[int.from_bytes(which) % len(calls)])
    found = leaves(call)
    if found:
        fill(found[int.from_bytes(where) % len(found)], content)
    keeper_call(call.SerializeToString())


def fill(leaf: Leaf, content: bytes) -> None:
    """Put `content` into a field, read as what the field can hold."""
    message, descriptor = leaf
    if descriptor.is_repeated:
        message.ClearField(descriptor.name)
    elif descriptor.type == BYTES:
        setattr(message, descriptor.name, content)
    elif descriptor.type == TEXT:
        setattr(message, descriptor.name, content.decode("utf-8", "replace"))
    else:
        bits = NUMBERS.get(descriptor.type, 31)
        setattr(message, descriptor.name, int.from_bytes(content[:8]) % 2**bits)


def field_seeds(calls: Sequence[Message]) -> list[bytes]:
    """For each call and field: what stands there now."""
    return [
        bytes((which, where)) + content
        for which, call in enumerate(calls)
        for where, (message, descriptor) in enumerate(leaves(call))
        if isinstance(content := getattr(message, descriptor.name), bytes)
    ]


@functools.cache
def operator_desk() -> OperatorDesk:
    return OperatorDesk(honest.alice().desk)


def operator_call(data: bytes) -> None:
    """Let the keeper answer an operator's command; only root's come here, but what it read may lie."""
    desk = operator_desk().desk
    reply = operator_desk().handler.handle(operator_pb2.OperatorCall.FromString(data))
    desk.log.lines.clear()
    if reply.WhichOneof("reply") is None or (reply.HasField("fault") and reply.fault.kind not in FAULTS):
        raise AssertionError(f"{reply.WhichOneof('reply')} {reply.fault.kind}")
    if desk.handler.spent:
        raise AssertionError("a command took the keeper's token session")


def operator_field(data: bytes) -> None:
    """As `keeper_field`, for operators' commands."""
    which, where, content = data[:1], data[1:2], data[2:]
    calls = honest.operator_calls()
    call = operator_pb2.OperatorCall()
    call.CopyFrom(calls[int.from_bytes(which) % len(calls)])
    found = leaves(call)
    if found:
        fill(found[int.from_bytes(where) % len(found)], content)
    operator_call(call.SerializeToString())


def statement(data: bytes) -> None:
    """Read a statement whose tag is right: what only a keeper gone wrong could have made."""
    tag = hmac.digest(KEY, encode_fields("strongroom/v1/ceremony", data), "sha256")
    read_ceremony(data + tag, field="ceremony", ceremony_keys={1: KEY})


def sealed(data: bytes, *, kind: Kind) -> None:
    """Open a sealed form."""
    header = parse_header(data)
    key = OneTimeKey(epoch=header.epoch, salt=header.salt, key=KEY)
    key.open(kind, record_id=RECORD_ID, version=1, sealed=data)


def sealed_padding(data: bytes) -> None:
    """Open a form that was sealed with the right key around any bytes."""
    salt = bytes(32)
    aad = encode_fields(Kind.EVENT.label, FORMAT, 1, salt, RECORD_ID, 1)
    ciphertext = AESGCM(KEY).encrypt(Kind.EVENT.nonce, data, aad)
    form = bytes((FORMAT,)) + (1).to_bytes(4) + salt + ciphertext
    OneTimeKey(epoch=1, salt=salt, key=KEY).open(Kind.EVENT, record_id=RECORD_ID, version=1, sealed=form)


def sealed_seeds() -> list[bytes]:
    key = OneTimeKey(epoch=1, salt=bytes(32), key=KEY)
    return [key.seal(kind, record_id=RECORD_ID, version=1, plaintext=b"plaintext") for kind in Kind]


def sealed_to_keeper() -> list[bytes]:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = encode_fields("strongroom/v1/hpke", b"to-keeper", 1, CHALLENGE)
    return [suite.encrypt(b"s" * 32 + b"an envelope", PRIVATE_KEY.public_key(), info=info)]


def ceremonies() -> list[bytes]:
    judged = (call.judge.ceremony for call in honest.keeper_calls() if call.judge.ceremony)
    return [retag(ceremony, key=KEY) for ceremony in judged]


def statements() -> list[bytes]:
    return [ceremony[:-32] for ceremony in ceremonies()]


def call_seeds() -> list[bytes]:
    return [call.SerializeToString() for call in honest.keeper_calls()]


def page_tokens() -> list[bytes]:
    return [make_page_token(PageStart(version=9, chain_head=bytes(32)), record_id=RECORD_ID, key=KEY)]


TARGETS = {
    "frames": Target(
        parse=frames,
        refusals=(FrameError, DecodeError),
        seeds=lambda: [encode_frame(call) for call in call_seeds()],
    ),
    "keeper_call": Target(parse=keeper_call, refusals=(DecodeError,), seeds=call_seeds),
    "keeper_field": Target(parse=keeper_field, refusals=(), seeds=lambda: field_seeds(honest.keeper_calls())),
    "operator_call": Target(
        parse=operator_call,
        refusals=(DecodeError,),
        seeds=lambda: [call.SerializeToString() for call in honest.operator_calls()],
    ),
    "operator_field": Target(parse=operator_field, refusals=(), seeds=lambda: field_seeds(honest.operator_calls())),
    "ceremony_request": Target(parse=parse_request, refusals=(Refusal,), seeds=honest.requests),
    "ceremony": Target(
        parse=functools.partial(read_ceremony, field="ceremony", ceremony_keys={1: KEY}),
        refusals=(Refusal,),
        seeds=ceremonies,
    ),
    "statement": Target(parse=statement, refusals=(Refusal, RecordRejected), seeds=statements),
    **{
        f"sealed_{kind.name.lower()}": Target(
            parse=functools.partial(sealed, kind=kind), refusals=(RecordRejected,), seeds=sealed_seeds
        )
        for kind in Kind
    },
    "sealed_padding": Target(
        parse=sealed_padding, refusals=(RecordRejected,), seeds=lambda: [(4).to_bytes(4) + b"text" + bytes(1016)]
    ),
    "record": Target(parse=decode_record, refusals=(RecordRejected,), seeds=honest.records),
    "event": Target(parse=decode_event, refusals=(RecordRejected,), seeds=honest.events),
    "vault_row": Target(parse=decode_vault, refusals=(RecordRejected,), seeds=honest.vault_rows),
    "page_token": Target(
        parse=functools.partial(read_page_token, record_id=RECORD_ID, keys={1: KEY}),
        refusals=(InvalidField,),
        seeds=page_tokens,
    ),
    "feed_cursor": Target(
        parse=functools.partial(read_cursor, tenant="notes", keys={1: KEY}),
        refusals=(InvalidField,),
        seeds=lambda: [make_cursor(9, tenant="notes", key=KEY)],
    ),
    "hpke_to_keeper": Target(
        parse=functools.partial(open_from_client, private_key=PRIVATE_KEY, challenge=CHALLENGE),
        refusals=(Refusal,),
        seeds=sealed_to_keeper,
    ),
}
