"""Lines of the receipt log, format 1: JSON objects whose bytes are lower-case hex, each bound to the line before it.

    previous = SHA-256 of fields("strongroom/v1/receipt-line", the line before, without its end); 32 zeros at the start

A line is a receipt, or a note: that the user accepted an older vault, that a line was cut short by a crash, that the
oldest lines were dropped. The replies of a release and of a page of history are not kept, only their hashes: the one is
sealed to a key that is gone, the other long. What is kept of a receipt is enough to check its signature again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from strongroom_client.clock import Millis
from strongroom_client.fields import hash_fields
from strongroom_client.strict_json import count, mapping, members, octets, optional, text
from strongroom_client.verification.positions import HEAD_BYTES, Position
from strongroom_client.verification.receipts import ReceiptFor

FORMAT: Final = 1
FIRST: Final = bytes(32)
"""What stands for the line before the first."""

_LINE_LABEL = "strongroom/v1/receipt-line"
_HASH_BYTES = 32
_POINT_BYTES = 65
_SIGNATURE_BYTES = 64


class NotALine(ValueError):
    """Bytes are no line of this format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReceipt:
    """A verified receipt, with what it answers.

    Attributes:
        receipt_for: the RPC.
        challenge: the ceremony's, or the nonce; 32 bytes.
        ceremony: the whole ceremony, from which anybody computes the challenge; None for a nonce.
        reply_sha256: of the serialized reply, 32 bytes.
        reply: the serialized reply; None where only its hash is kept.
        position: version and chain head that the receipt speaks of.
        identity_key: public key that signed, uncompressed point.
        signature: r || s, 64 bytes.
        verified_at: this device's time, unix milliseconds.
    """

    receipt_for: ReceiptFor
    challenge: bytes
    ceremony: bytes | None
    reply_sha256: bytes
    reply: bytes | None
    position: Position
    identity_key: bytes
    signature: bytes
    verified_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The user accepted at `at` that the vault goes on from `position`, although it had been further, or elsewhere."""

    position: Position
    at: Millis


@dataclass(frozen=True, slots=True)
class CutShort:
    """The line that stood here was cut short by a crash after `size` bytes; nothing was remembered from it."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A segment was dropped, for want of room.

    Attributes:
        segment: its number.
        lines: how many it had, with those that its own such notes count.
        last: hash of its last line.
    """

    segment: int
    lines: int
    last: bytes


Entry: TypeAlias = KeptReceipt | Accepted | CutShort | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLine:
    """One line as it was found.

    Attributes:
        segment, number: where it stands; lines count from 1.
        previous: hash of the line before, as this one says.
        sha256: hash of this line.
        entry: what it says; None where it is no line of the log's format, and `previous` then is empty.
    """

    segment: int
    number: int
    previous: bytes
    sha256: bytes
    entry: Entry | None

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{segment_name(self.segment)}:{self.number}"


def segment_name(segment: int) -> str:
    """Return the file name of a segment."""
    return f"receipts-{segment:06}.jsonl"


def line_hash(line: bytes) -> bytes:
    """Return what the next line names: the hash of this one, without its end."""
    return hash_fields(_LINE_LABEL, line)


def encode_line(entry: Entry, *, previous: bytes) -> bytes:
    """Return `entry` as a line, without its end, after the line whose hash is `previous`."""
    content = _document(entry)
    return json.dumps({"format": FORMAT, "previous": previous.hex(), **content}).encode()


def _document(entry: Entry) -> dict[str, object]:
    match entry:
        case KeptReceipt():
            return _receipt_document(entry)
        case Accepted():
            return {"entry": "accepted", **_position_document(entry.position), "at": entry.at}
        case CutShort():
            return {"entry": "cut-short", "size": entry.size}
        case Dropped():
            return {"entry": "dropped", "segment": entry.segment, "lines": entry.lines, "last": entry.last.hex()}


def decode_line(line: bytes) -> tuple[bytes, Entry]:
    """Return what a line names as the one before, and its entry.

    Raises:
        NotALine: any member is missing, unknown or malformed.
    """
    try:
        document = mapping(json.loads(line))
        if document.pop("format") != FORMAT:
            raise ValueError
        return octets(document.pop("previous"), _HASH_BYTES), _entry(document.pop("entry"), document)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotALine("not a line of the receipt log") from None


def _entry(kind: str, document: dict[str, Any]) -> Entry:
    match kind:
        case "receipt":
            return _receipt(document)
        case "accepted":
            found = members(document, {"version", "chain_head", "at"})
            return Accepted(position=_position(found), at=Millis(count(found["at"])))
        case "cut-short":
            return CutShort(count(members(document, {"size"})["size"]))
        case "dropped":
            found = members(document, {"segment", "lines", "last"})
            return Dropped(
                segment=count(found["segment"]), lines=count(found["lines"]), last=octets(found["last"], _HASH_BYTES)
            )
    raise ValueError


def _receipt_document(receipt: KeptReceipt) -> dict[str, object]:
    return {
        "entry": "receipt",
        "receipt_for": receipt.receipt_for.value,
        "challenge": receipt.challenge.hex(),
        "ceremony": None if receipt.ceremony is None else receipt.ceremony.hex(),
        "reply_sha256": receipt.reply_sha256.hex(),
        "reply": None if receipt.reply is None else receipt.reply.hex(),
        **_position_document(receipt.position),
        "identity_key": receipt.identity_key.hex(),
        "signature": receipt.signature.hex(),
        "verified_at": receipt.verified_at,
    }


_RECEIPT_MEMBERS = frozenset(
    {
        "receipt_for",
        "challenge",
        "ceremony",
        "reply_sha256",
        "reply",
        "version",
        "chain_head",
        "identity_key",
        "signature",
        "verified_at",
    }
)


def _receipt(document: dict[str, Any]) -> KeptReceipt:
    found = members(document, _RECEIPT_MEMBERS)
    return KeptReceipt(
        receipt_for=ReceiptFor(text(found["receipt_for"])),
        challenge=octets(found["challenge"], _HASH_BYTES),
        ceremony=optional(found["ceremony"], octets),
        reply_sha256=octets(found["reply_sha256"], _HASH_BYTES),
        reply=optional(found["reply"], octets),
        position=_position(found),
        identity_key=octets(found["identity_key"], _POINT_BYTES),
        signature=octets(found["signature"], _SIGNATURE_BYTES),
        verified_at=Millis(count(found["verified_at"])),
    )


def _position_document(position: Position) -> dict[str, object]:
    return {"version": position.version, "chain_head": position.chain_head.hex()}


def _position(found: dict[str, Any]) -> Position:
    return Position(count(found["version"]), octets(found["chain_head"], HEAD_BYTES))
