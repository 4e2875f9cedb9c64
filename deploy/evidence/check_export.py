"""Checks an export of events with nothing of Strongroom's: this file, Python, and `cryptography`.

    python check_export.py EXPORT [--pin FINGERPRINT]

Every assertion is checked against the public key that the account itself brought earlier in the same history, over the
challenge that the ceremony beside it hashes to; and each ceremony names the chain head before it, so that the users'
own signatures hold the history together. What is wrong is named, a line each; exit code 1. What only the vault says
(outcomes, reasons, times) is covered by the keeper's signature at the end. The formats are those of docs/protocol.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

REGISTER, STORE, DELETE, ADD, REMOVE, SET_RECOVERY, REOPEN, RESET, ERASE, CANCEL, SWEEP, REWRAP = (
    1,
    2,
    4,
    5,
    6,
    7,
    8,
    11,
    12,
    13,
    14,
    15,
)
NOBODY_SIGNS = {RESET, ERASE, CANCEL, SWEEP, REWRAP}
GRANTED, FAILED, EXHAUSTED = 1, 2, 3
SWEPT_SET_ASIDE, SWEPT_ACCOUNT = 1, 2


class Wrong(Exception):
    """Why something does not hold."""


def h(label: str, *parts: bytes | int) -> bytes:
    """SHA-256 over length-prefixed fields."""
    return hashlib.sha256(encode(label, *parts)).digest()


def encode(label: str, *parts: bytes | int) -> bytes:
    """The label and the parts, each after its length; integers as eight bytes."""
    fields = [label.encode(), *(part if isinstance(part, bytes) else part.to_bytes(8, "big") for part in parts)]
    return b"".join(len(each).to_bytes(4, "big") + each for each in fields)


class Message:
    """A protobuf message by its field numbers: last value of each, and all of those that repeat."""

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list[Any]] = {}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            if key & 7 == 0:
                value, at = _varint(data, at)
                self.fields.setdefault(key >> 3, []).append(value)
                continue
            if key & 7 != 2:  # noqa: PLR2004  the only other wire type in these messages: bytes after their length
                raise Wrong("not a message of the protocol")
            size, at = _varint(data, at)
            if at + size > len(data):
                raise Wrong("not a message of the protocol")
            self.fields.setdefault(key >> 3, []).append(data[at : at + size])
            at += size

    def number(self, number: int) -> int:
        """An integer field, 0 where absent."""
        return int(self.fields.get(number, [0])[-1])

    def data(self, number: int) -> bytes:
        """A bytes field, empty where absent."""
        return bytes(self.fields.get(number, [b""])[-1])

    def message(self, number: int) -> Message:
        """A field that is a message, empty where absent."""
        return Message(self.data(number))

    def numbers(self, number: int) -> list[int]:
        """A repeated integer field, packed or not."""
        found: list[int] = []
        for each in self.fields.get(number, []):
            at = 0
            while isinstance(each, bytes) and at < len(each):
                value, at = _varint(each, at)
                found.append(value)
            found += [each] if isinstance(each, int) else []
        return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:  # noqa: PLR2004  the last byte of a number has its high bit clear
            return value, at
        shift += 7
    raise Wrong("a number ends too early")


def cbor(data: bytes, at: int = 0) -> tuple[Any, int]:
    """Read one item of definite length (RFC 8949), and where it ends."""
    kind, short, at = data[at] >> 5, data[at] & 31, at + 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    value = int.from_bytes(data[at : at + size], "big") if size else short
    at += size
    if kind in {0, 1}:
        return (value if kind == 0 else -1 - value), at
    if kind in {2, 3}:
        part = data[at : at + value]
        return (part if kind == 2 else part.decode()), at + value  # noqa: PLR2004  2 is a byte string, 3 a text
    if kind == 7:  # noqa: PLR2004  simple values
        return {20: False, 21: True}.get(value), at
    items = []
    for _ in range(value * (kind - 3)):  # 4 is an array, 5 a map with twice as many items
        item, at = cbor(data, at)
        items.append(item)
    return (items if kind == 4 else dict(zip(items[::2], items[1::2], strict=True))), at  # noqa: PLR2004  as above


def check_key(cose_key: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature by a COSE key: ES256, EdDSA or RS256."""
    key, _ = cbor(cose_key)
    try:
        if key[3] == -7:  # noqa: PLR2004  COSE algorithms
            point = ec.EllipticCurvePublicNumbers(
                int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big"), ec.SECP256R1()
            )
            point.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif key[3] == -8:  # noqa: PLR2004  COSE algorithms
            ed25519.Ed25519PublicKey.from_public_bytes(key[-2]).verify(signature, message)
        else:
            numbers = rsa.RSAPublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-1], "big"))
            numbers.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError, KeyError):
        raise Wrong("the signature does not fit the credential's key") from None


def check_client_data(client_data_json: bytes, kind: str, challenge: bytes) -> None:
    """Check that the browser's part is for this ceremony (W3C WebAuthn Level 3, type and challenge)."""
    try:
        given = json.loads(client_data_json)
        found = (given["type"], given["challenge"])
    except (ValueError, KeyError, TypeError):
        raise Wrong("its client data cannot be read") from None
    if found != (kind, base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()):
        raise Wrong("it is signed for another challenge or as another type of ceremony")


def attested(attestation: Message, challenge: bytes, rp_id: bytes) -> tuple[bytes, bytes]:
    """Return the credential id and COSE key of an attestation that is for this challenge (section 6.5.1)."""
    check_client_data(attestation.data(2), "webauthn.create", challenge)
    data = cbor(attestation.data(3))[0]["authData"]
    if data[:32] != hashlib.sha256(rp_id).digest():
        raise Wrong("the credential is made for another relying party")
    start = 55 + int.from_bytes(data[53:55], "big")
    _, end = cbor(data, start)
    if data[55:start] != attestation.data(1):
        raise Wrong("the attestation is of another credential than it says")
    return data[55:start], data[start:end]


@dataclass
class Life:
    """The credentials that may sign."""

    keys: dict[bytes, bytes] = field(default_factory=dict)
    recovery: bytes = b""


@dataclass
class Line:
    """One event as exported."""

    version: int
    previous_head: bytes
    sealed: bytes
    content: bytes
    tally: bytes

    @property
    def event(self) -> Message:
        """What was sealed."""
        return Message(self.content)

    @property
    def owner(self) -> tuple[bytes, bytes] | None:
        """Tenant and account in its ceremony, if it has one that can be read."""
        try:
            statement = Message(self.event.data(7)[:-32])
        except Wrong:
            return None
        return (statement.data(3), statement.data(4)) if statement.fields else None


class History:
    """One record's events, in order, and what they make of its credentials."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.owner = (record["tenant"].encode(), record["account"].encode())
        self.begun = not record.get("base")  # else the registrations may be gone: a key counts from its first use on
        self.life = Life()
        self.aside = Life()
        self.signatures = 0

    def take(self, line: Line, head: bytes) -> None:
        """Check the event that comes after `head`, and go on to what it made."""
        event = line.event
        if event.number(1) != line.version:
            raise Wrong(f"it says that it is of version {event.number(1)}")
        if event.number(3) in NOBODY_SIGNS and event.data(7):
            raise Wrong("nobody signs such an event, and there is a ceremony beside it")
        if event.number(3) not in NOBODY_SIGNS:
            self._check_signed(event, self._statement(event.data(7), line.version, head))
            self.signatures += 1
        self._follow(event)

    def _statement(self, ceremony: bytes, version: int, head: bytes) -> Message:
        statement = Message(ceremony[:-32])
        if (statement.data(3), statement.data(4)) != self.owner:
            raise Wrong("its ceremony is another account's")
        if (statement.number(5), statement.data(6)) != (version - 1, head):
            raise Wrong("its ceremony began at another state than the one before it")
        return statement

    def _check_signed(self, event: Message, statement: Message) -> None:
        challenge = h("strongroom/v1/challenge", event.data(7))
        if event.number(3) == REGISTER:
            credential_id, key = attested(event.message(9), challenge, statement.data(9))
            if event.data(10) != key:
                raise Wrong("the key beside the attestation is not the one attested")
            recovery = Message(statement.data(2)).message(10).data(3)
            self.life, self.begun = Life({credential_id: key}, recovery), True
            return
        signers = self.aside if event.number(15) else self.life
        try:
            self._check_assertion(event, signers, challenge, statement.data(9))
        except Wrong:
            if event.number(4) in {FAILED, EXHAUSTED}:
                return
            raise
        if event.number(4) in {FAILED, EXHAUSTED}:
            raise Wrong("it was counted as a failure, and all of it fits")

    def _check_assertion(self, event: Message, signers: Life, challenge: bytes, rp_id: bytes) -> None:
        made = event.message(8)
        if made.data(2):
            recovery = made.message(2)
            signers.recovery = signers.recovery or (b"" if self.begun else recovery.data(1))
            if not signers.recovery or recovery.data(1) != signers.recovery:
                raise Wrong("it is signed by a recovery credential that was never installed")
            try:
                key = ed25519.Ed25519PublicKey.from_public_bytes(recovery.data(1))
                key.verify(recovery.data(2), encode("strongroom/v1/recovery-assertion", challenge))
            except InvalidSignature:
                raise Wrong("the recovery credential's signature does not fit") from None
            return
        webauthn = made.message(1)
        known = signers.keys.get(webauthn.data(1))
        if known is None and not self.begun:
            known = signers.keys.setdefault(webauthn.data(1), event.data(10))
        if known is None or known != event.data(10):
            raise Wrong("it is signed by a credential that was never registered with this key")
        check_client_data(webauthn.data(3), "webauthn.get", challenge)
        if webauthn.data(2)[:32] != hashlib.sha256(rp_id).digest():
            raise Wrong("it is signed for another relying party")
        check_key(known, webauthn.data(4), webauthn.data(2) + hashlib.sha256(webauthn.data(3)).digest())

    def _follow(self, event: Message) -> None:
        for swept in event.numbers(16):
            self.aside = Life()
            self.life = Life() if swept == SWEPT_ACCOUNT else self.life
        if event.number(4) != GRANTED:
            return
        request = Message(Message(event.data(7)[:-32]).data(2)) if event.data(7) else Message(b"")
        match event.number(3):
            case k if k == ADD:
                asked, statement = request.message(15), Message(event.data(14)[:-32])
                challenge = h("strongroom/v1/challenge", event.data(14))
                added, key = attested(event.message(9), challenge, statement.data(9))
                if (added, hashlib.sha256(key).digest()) != (asked.data(1), asked.data(2)):
                    raise Wrong("the credential added is not the one that was signed for")
                self.life.keys[added] = key
            case k if k == REMOVE:
                self.life.keys.pop(request.message(16).data(1), None)
            case k if k == SET_RECOVERY:
                self.life.recovery = request.message(17).data(1)
            case k if k == RESET:
                self.aside, self.life = self.life, Life()
            case k if k == REOPEN and event.number(15):
                self.aside, self.life = Life(), self.aside
            case k if k == DELETE:
                self.life = Life()


class Check:
    """Reads an export line by line, a record at a time in memory."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.tally = bytes(32)
        self.stated: bytes | None = bytes(32)  # as it stands beside the line before; not known after something wrong
        self.counts = {"records": 0, "events": 0, "signatures": 0}

    def find(self, name: str, record: str, version: int, why: str) -> None:
        """Name something that is wrong."""
        self.findings.append(f"{name}: record {record} version {version}: {why}")

    def record(self, record: dict[str, Any], lines: list[Line]) -> None:
        """Check one record and its events as they stand in the file."""
        before = len(self.findings)
        own = self._tally(record, lines)
        ordered = self._order(record, lines)
        in_order = len(self.findings) == before
        self._walk(record, ordered)
        if own is not None and in_order and not any(f" version {own}: " in each for each in self.findings[before:]):
            self.find("altered", record["record"], own, "it is not what the keeper gave out")
        self.stated = self.stated if len(self.findings) == before else None
        self.counts["records"] += 1
        self.counts["events"] += len(lines)

    def _tally(self, record: dict[str, Any], lines: list[Line]) -> int | None:
        """Go on with the tally; return the first version that does not fit the tallies beside it and before it."""
        record_id, first = bytes.fromhex(record["record"]), None
        owner = (record["tenant"].encode(), record["account"].encode())
        items = [(record["version"], record["tally"], "record", (*owner, bytes.fromhex(record["chain_head"])))]
        for line in lines:
            digest = hashlib.sha256(line.sealed).digest()
            items.append((line.version, line.tally.hex(), "event", (digest, line.previous_head, line.content)))
        for version, stated, kind, parts in items:
            label = f"strongroom/v1/export-{kind}"
            self.tally = h(label, self.tally, record_id, version, *parts)
            fits = self.stated is None or h(label, self.stated, record_id, version, *parts).hex() == stated
            first = version if first is None and not fits else first
            self.stated = bytes.fromhex(stated)
        return first

    def _order(self, record: dict[str, Any], lines: list[Line]) -> list[Line]:
        """Name what is missing, too much, or out of order; return the events in order of their versions."""
        owner, at = (record["tenant"].encode(), record["account"].encode()), record["record"]
        places: dict[int, Line] = {}
        base, newest, strangers = record.get("base", 0), 0, 0
        for line in lines:
            if line.owner not in {owner, None}:
                self.find("swapped", at, line.version, f"it is an event of account {line.owner}")
                strangers += 1
            elif line.version in places or not base < line.version <= record["version"]:
                self.find("inserted", at, line.version, "there is one event for each version, up to the record's")
            else:
                if line.version < newest:
                    self.find("reordered", at, line.version, "it comes after the event of a later version")
                newest = max(newest, line.version)
                places[line.version] = line
        missing = [version for version in range(base + 1, record["version"] + 1) if version not in places]
        for version in missing[strangers:]:
            self.find("cut" if version > newest else "removed", at, version, "there is no such event")
        return [places[version] for version in sorted(places)]

    def _walk(self, record: dict[str, Any], lines: list[Line]) -> None:
        """Recompute the chain and check each signature on it."""
        history, at, head, last = History(record), record["record"], bytes(32), record.get("base", 0)
        for line in lines:
            if line.previous_head != head and line.version == last + 1 and (line is not lines[0] or last == 0):
                self.find("altered", at, last or 1, "the event after it goes on from another chain head")
            head = line.previous_head
            try:
                history.take(line, head)
            except Wrong as wrong:
                self.find("altered", at, line.version, str(wrong))
            except (IndexError, KeyError, TypeError, ValueError):
                self.find("altered", at, line.version, "it cannot be read")
            head, last = h("strongroom/v1/chain", head, line.sealed), line.version
        if last == record["version"] and head.hex() != record["chain_head"]:
            self.find("altered", at, last, "the record's chain ends in another head")
        self.counts["signatures"] += history.signatures

    def end(self, end: dict[str, Any] | None, pin: str | None) -> None:
        """Check the keeper's signature over all of it."""
        if end is None:
            self.findings.append("cut: the export has no end")
            return
        point, signature = bytes.fromhex(end["identity_public_key"]), bytes.fromhex(end["signature"])
        if pin is not None and h("strongroom/v1/identity-key", point).hex() != pin:
            self.findings.append("altered: the end is signed by an identity key that is not the one given")
        digest = h("strongroom/v1/export", self.tally, end["records"], end["events"], end["made_at"])
        halves = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            key.verify(utils.encode_dss_signature(*halves), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        except (InvalidSignature, ValueError):
            if not self.findings:  # else it is told already what is not as the keeper gave it out
                self.findings.append("altered: the keeper's signature at the end is not over these lines")


def read(lines: Iterable[str], pin: str | None) -> Check:
    """Check the lines of an export.

    Raises:
        Wrong: there is something in it that is no export's.
    """
    try:
        return _read(iter(lines), pin)
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        raise Wrong("not an export of a format known here") from None


def _read(given: Iterator[str], pin: str | None) -> Check:
    check, record, lines, end = Check(), None, [], None
    if json.loads(next(given, "{}")) != {"strongroom_export": 1}:
        raise Wrong("not an export of a format known here")
    for item in map(json.loads, given):
        if "event" in item:
            heads = (bytes.fromhex(item["previous_head"]), base64.b64decode(item["sealed"]))
            lines.append(Line(item["event"], *heads, base64.b64decode(item["content"]), bytes.fromhex(item["tally"])))
            continue
        if record is not None:
            check.record(record, lines)
        record, lines = (item, []) if "record" in item else (None, [])
        end = item.get("end")
    if record is not None:
        check.record(record, lines)
    check.end(end, pin)
    return check


def main() -> int:
    """Check the file that is named; print what is wrong, then a summary."""
    parser = argparse.ArgumentParser(description="Checks an export of Strongroom's events.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--pin", help="fingerprint of the vault's identity key, hex")
    arguments = parser.parse_args()
    try:
        with arguments.export.open(encoding="utf-8") as file:
            check = read(file, arguments.pin)
    except Wrong as wrong:
        print(wrong)
        return 1
    print(*check.findings, sep="\n", end="\n" if check.findings else "")
    print(", ".join(f"{count} {name}" for name, count in check.counts.items()) + f", {len(check.findings)} findings.")
    return int(bool(check.findings))


if __name__ == "__main__":
    sys.exit(main())
