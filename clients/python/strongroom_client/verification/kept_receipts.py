"""The receipts that a device has kept, examined off line: each by itself, and all of them with one another.

An honest vault's receipts never speak of a lower version than one before, never of two heads at one version, and never
answer one question twice in two ways. What is found is named and not raised: the user wants to know all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum, unique

from strongroom_client.receipts.format import FIRST, Accepted, CutShort, Dropped, KeptLine, KeptReceipt
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.receipts import ReceiptFor, receipt_digest
from strongroom_client.verification.signatures import WrongSignature, check_signature, identity_fingerprint
from strongroom_client.verification.statements import challenge_of

_QUESTIONS = frozenset({ReceiptFor.GET_SERVICE_INFO, ReceiptFor.GET_VAULT, ReceiptFor.LIST_EVENTS})


@unique
class Flaw(Enum):
    """What is wrong; the value is its name for programs."""

    UNREADABLE = "unreadable"
    LINE_MISSING = "line-missing-or-changed"
    NOT_PINNED = "identity-key-not-pinned"
    WRONG_SIGNATURE = "wrong-signature"
    ANOTHER_REPLY = "another-reply"
    ANOTHER_CEREMONY = "another-ceremony"
    VERSION_FELL = "version-fell"
    TWO_HEADS = "two-heads-at-one-version"
    TWO_ANSWERS = "two-answers-to-one-question"
    TWO_CHANGES = "two-changes-to-one-version"
    NO_RECEIPT = "no-receipt-for-what-is-remembered"
    FORGOTTEN = "forgotten-by-the-vault"
    CHANGED = "changed-by-the-vault"


_ACCEPTABLE = frozenset({Flaw.VERSION_FELL, Flaw.TWO_HEADS, Flaw.TWO_CHANGES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One flaw.

    Attributes:
        flaw: what is wrong.
        place: line of the log; empty where the flaw is that there is none.
        said: the same in words.
        accepted: the user has accepted since that the vault went back.
    """

    flaw: Flaw
    place: str
    said: str
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an examination found.

    Attributes:
        receipts: how many there are.
        dropped: how many older lines were dropped for want of room.
        cut_short: how many lines a crash cut short; nothing was remembered from them.
        findings: all flaws.
    """

    receipts: int
    dropped: int
    cut_short: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong that the user has not accepted."""
        return all(finding.accepted for finding in self.findings)


@dataclass(slots=True)
class _Story:
    """What the receipts so far have said; the newest is where the vault was last."""

    newest: Position = GENESIS
    heads: dict[int, bytes] = field(default_factory=dict)
    changes: dict[int, bytes] = field(default_factory=dict)
    answers: dict[bytes, KeptReceipt] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def find(self, flaw: Flaw, place: str, said: str) -> None:
        self.findings.append(Finding(flaw=flaw, place=place, said=said))


def examine_receipts(lines: Iterable[KeptLine], *, pins: AbstractSet[bytes], remembered: Position) -> Examination:
    """Examine all lines of a log, oldest first, against the pinned fingerprints and the position in memory."""
    kept = tuple(lines)
    story = _Story()
    _examine_chain(kept, story)
    for line in kept:
        if isinstance(line.entry, KeptReceipt):
            _examine_one(line.entry, line.place, pins=pins, story=story)
            _compare(line.entry, line.place, story)
        elif isinstance(line.entry, Accepted):
            _accept(line.entry, story)
    if remembered != GENESIS and story.heads.get(remembered.version) != remembered.chain_head:
        story.find(Flaw.NO_RECEIPT, "", f"this device remembers version {remembered.version}, without its receipt")
    dropped = {line.entry.segment: line.entry.lines for line in kept if isinstance(line.entry, Dropped)}
    return Examination(
        receipts=sum(isinstance(line.entry, KeptReceipt) for line in kept),
        dropped=sum(dropped.values()),
        cut_short=sum(isinstance(line.entry, CutShort) for line in kept),
        findings=tuple(story.findings),
    )


def compare_with_history(
    lines: Iterable[KeptLine], *, heads: Mapping[int, bytes], newest: Position
) -> tuple[Finding, ...]:
    """Compare receipts with the chain heads of a history, by version; what was accepted as gone is left out."""
    found: dict[Position, Finding] = {}
    for line in _in_force(lines):
        if not isinstance(line.entry, KeptReceipt):
            continue
        position = line.entry.position
        if position.version > newest.version:
            said = f"the vault signed for version {position.version}, but its history ends at {newest.version}"
            found.setdefault(position, Finding(flaw=Flaw.FORGOTTEN, place=line.place, said=said))
        elif position.version in heads and heads[position.version] != position.chain_head:
            said = f"the history has another event at version {position.version} than the vault signed for"
            found.setdefault(position, Finding(flaw=Flaw.CHANGED, place=line.place, said=said))
    return tuple(found.values())


def _examine_chain(kept: tuple[KeptLine, ...], story: _Story) -> None:
    """Find lines that do not follow the one before."""
    dropped = {line.entry.segment: line.entry.last for line in kept if isinstance(line.entry, Dropped)}
    before = dropped.get(kept[0].segment - 1, FIRST) if kept else FIRST
    for line in kept:
        if line.entry is None:
            story.find(Flaw.UNREADABLE, line.place, "this line is no line of the receipt log")
        elif line.previous != before:
            story.find(Flaw.LINE_MISSING, line.place, "the line before this one is missing, or was changed")
        before = line.sha256


def _examine_one(receipt: KeptReceipt, place: str, *, pins: AbstractSet[bytes], story: _Story) -> None:
    fingerprint = identity_fingerprint(receipt.identity_key)
    if fingerprint not in pins:
        story.find(Flaw.NOT_PINNED, place, f"signed by {fingerprint.hex()}, which is not pinned")
    if receipt.reply is not None and hashlib.sha256(receipt.reply).digest() != receipt.reply_sha256:
        story.find(Flaw.ANOTHER_REPLY, place, "the reply kept is not the one that was signed")
    if receipt.ceremony is not None and challenge_of(receipt.ceremony) != receipt.challenge:
        story.find(Flaw.ANOTHER_CEREMONY, place, "the ceremony kept is not the one whose challenge was signed")
    digest = receipt_digest(
        receipt.receipt_for,
        challenge=receipt.challenge,
        reply_sha256=receipt.reply_sha256,
        position=receipt.position,
    )
    try:
        check_signature(receipt.signature, digest=digest, public_key=receipt.identity_key)
    except WrongSignature:
        story.find(Flaw.WRONG_SIGNATURE, place, "the signature does not fit the receipt")


def _compare(receipt: KeptReceipt, place: str, story: _Story) -> None:
    """Compare a receipt with those before it."""
    _compare_answers(receipt, place, story)
    if receipt.receipt_for is ReceiptFor.GET_SERVICE_INFO:  # speaks of no record
        return
    version, head = receipt.position.version, receipt.position.chain_head
    known = story.heads.setdefault(version, head)
    if known != head:
        story.find(Flaw.TWO_HEADS, place, f"a second chain head at version {version}")
    elif version < story.newest.version:
        story.find(Flaw.VERSION_FELL, place, f"version {version}, after version {story.newest.version}")
    else:
        story.newest = receipt.position
    if receipt.receipt_for not in _QUESTIONS and story.changes.setdefault(version, receipt.challenge) != (
        receipt.challenge
    ):
        story.find(Flaw.TWO_CHANGES, place, f"a second ceremony that made version {version}")


def _compare_answers(receipt: KeptReceipt, place: str, story: _Story) -> None:
    """A release is sealed anew when it is answered again; all else stays as it was."""
    before = story.answers.setdefault(receipt.challenge, receipt)
    same_reply = before.reply_sha256 == receipt.reply_sha256 or receipt.receipt_for is ReceiptFor.RELEASE
    if (before.receipt_for, before.position) != (receipt.receipt_for, receipt.position) or not same_reply:
        story.find(Flaw.TWO_ANSWERS, place, "another answer to a question that was answered before")


def _accept(accepted: Accepted, story: _Story) -> None:
    """Go on from what the user accepted: the versions from there on are made a second time."""
    position = accepted.position
    story.newest = position
    story.heads = {version: head for version, head in story.heads.items() if version < position.version}
    story.heads[position.version] = position.chain_head
    story.changes = {version: made for version, made in story.changes.items() if version < position.version}
    story.findings = [
        replace(finding, accepted=True) if finding.flaw in _ACCEPTABLE else finding for finding in story.findings
    ]


def _in_force(lines: Iterable[KeptLine]) -> list[KeptLine]:
    """Return the lines whose receipts still stand, after all that the user has accepted."""
    standing: list[KeptLine] = []
    for line in lines:
        if isinstance(line.entry, Accepted):
            accepted = line.entry.position
            standing = [one for one in standing if _stands(one, accepted)]
        standing.append(line)
    return standing


def _stands(line: KeptLine, accepted: Position) -> bool:
    if not isinstance(line.entry, KeptReceipt):
        return True
    return line.entry.position.version < accepted.version or line.entry.position == accepted
