from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from strongroom_client.clock import Millis
from strongroom_client.fields import hash_fields
from strongroom_client.receipts.format import FIRST, Accepted, Dropped, Entry, KeptLine, KeptReceipt
from strongroom_client.verification.kept_receipts import Examination, Flaw, compare_with_history, examine_receipts
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.receipts import ReceiptFor
from tests.fakes.client import FakeMemory
from tests.fakes.vault_keys import FakeVaultKeys

KEYS = FakeVaultKeys()
STORE, RELEASE, GET_VAULT = ReceiptFor.STORE, ReceiptFor.RELEASE, ReceiptFor.GET_VAULT


def signed(
    version: int, *, kind: ReceiptFor = STORE, head: int | None = None, ceremony: str = "", reply: bytes = b"reply"
) -> KeptReceipt:
    """A good receipt; every version has its own ceremony and head where nothing else is said."""
    made = (ceremony or f"{kind.value} {version}").encode()
    challenge = hash_fields("strongroom/v1/challenge", made)
    rpc = kind.value.removeprefix("strongroom/v1/receipt/")
    receipt = KEYS.receipt(
        rpc, challenge=challenge, reply=reply, version=version, head=bytes([version if head is None else head]) * 32
    )
    return KeptReceipt(
        receipt_for=kind,
        challenge=challenge,
        ceremony=None if kind is GET_VAULT else made,
        reply_sha256=hashlib.sha256(reply).digest(),
        reply=None if kind is RELEASE else reply,
        position=Position(receipt.version, receipt.chain_head),
        identity_key=KEYS.identity_public_key,
        signature=receipt.signature,
        verified_at=Millis(1),
    )


def lines_of(*entries: Entry) -> tuple[KeptLine, ...]:
    return FakeMemory(entries=list(entries)).receipts()


def examined(*entries: Entry, remembered: Position | None = None) -> Examination:
    return examine_receipts(
        lines_of(*entries), pins=frozenset({KEYS.fingerprint}), remembered=remembered or _last(entries)
    )


def _last(entries: tuple[Entry, ...]) -> Position:
    at = [entry.position for entry in entries if isinstance(entry, KeptReceipt | Accepted)]
    return at[-1] if at else GENESIS


def flaws(examination: Examination) -> list[Flaw]:
    return [finding.flaw for finding in examination.findings]


SOUND = (signed(0, kind=GET_VAULT), signed(1), signed(2, kind=RELEASE), signed(2, kind=GET_VAULT), signed(5))


def test_what_an_honest_vault_signs_is_sound() -> None:
    found = examined(*SOUND)
    assert found.is_sound
    assert (found.receipts, found.dropped, flaws(found)) == (5, 0, [])


def test_no_receipts_are_sound_where_nothing_is_remembered() -> None:
    assert examined().is_sound


@pytest.mark.parametrize(
    ("changed", "flaw"),
    [
        (replace(signed(5), signature=b"s" * 64), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), position=Position(6, b"\x05" * 32)), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), position=Position(5, b"\x06" * 32)), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), receipt_for=RELEASE), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), challenge=b"c" * 32, ceremony=None), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), reply_sha256=b"r" * 32, reply=None), Flaw.WRONG_SIGNATURE),
        (replace(signed(5), reply=b"other"), Flaw.ANOTHER_REPLY),
        (replace(signed(5), ceremony=b"other"), Flaw.ANOTHER_CEREMONY),
        (replace(signed(5), identity_key=FakeVaultKeys().identity_public_key), Flaw.NOT_PINNED),
    ],
)
def test_changed_receipt_is_named(changed: KeptReceipt, flaw: Flaw) -> None:
    found = examined(*SOUND[:-1], changed)
    assert flaw in flaws(found)
    assert {finding.place for finding in found.findings} == {"receipts-000001.jsonl:5"}
    assert not found.is_sound


@pytest.mark.parametrize(
    ("receipts", "flaw"),
    [
        ((signed(5), signed(4)), Flaw.VERSION_FELL),
        ((signed(5), signed(5, kind=GET_VAULT, head=6)), Flaw.TWO_HEADS),
        ((signed(5), signed(6), signed(5, kind=GET_VAULT, head=6)), Flaw.TWO_HEADS),
        ((signed(5), signed(5, ceremony="another")), Flaw.TWO_CHANGES),
        ((signed(5), signed(5, reply=b"other")), Flaw.TWO_ANSWERS),
        ((signed(5), signed(6, ceremony=f"{STORE.value} 5")), Flaw.TWO_ANSWERS),
        ((signed(5, ceremony="one"), signed(5, ceremony="one", kind=RELEASE)), Flaw.TWO_ANSWERS),
    ],
)
def test_receipts_that_contradict_one_another_are_named(receipts: tuple[KeptReceipt, ...], flaw: Flaw) -> None:
    found = examined(
        *receipts, remembered=receipts[-1].position if flaw is not Flaw.TWO_HEADS else Position(5, b"\x05" * 32)
    )
    assert flaws(found) == [flaw]
    assert not found.is_sound


def test_release_that_was_sealed_anew_contradicts_nothing() -> None:
    assert examined(signed(5, kind=RELEASE), signed(5, kind=RELEASE, reply=b"sealed anew")).is_sound


def test_description_of_the_service_speaks_of_no_record() -> None:
    described = signed(0, kind=ReceiptFor.GET_SERVICE_INFO)
    assert examined(signed(5), described, remembered=signed(5).position).is_sound


def test_what_the_user_accepted_is_named_but_sound() -> None:
    went_back = (signed(5), signed(4, kind=GET_VAULT), Accepted(position=signed(4).position, at=Millis(2)))
    found = examined(*went_back, signed(5, head=9, ceremony="a second fifth change"))
    assert found.is_sound
    assert [(one.flaw, one.accepted) for one in found.findings] == [(Flaw.VERSION_FELL, True)]
    again = examined(*went_back, signed(5, head=9, ceremony="a second fifth change"), signed(4, kind=GET_VAULT))
    assert not again.is_sound, "it went back once more, which nobody has accepted"


def test_wrong_signature_is_never_accepted() -> None:
    forged = replace(signed(5), signature=b"s" * 64)
    assert not examined(forged, Accepted(position=forged.position, at=Millis(2))).is_sound


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_missing_line_is_named(missing: int) -> None:
    lines = [line for place, line in enumerate(lines_of(*SOUND)) if place != missing]
    found = examine_receipts(lines, pins=frozenset({KEYS.fingerprint}), remembered=SOUND[-1].position)
    assert flaws(found) == [Flaw.LINE_MISSING]


def test_missing_end_is_named_by_what_is_remembered() -> None:
    assert flaws(examined(*SOUND[:-1], remembered=SOUND[-1].position)) == [Flaw.NO_RECEIPT]


def test_unreadable_line_is_named() -> None:
    first, second = lines_of(*SOUND[:2])
    found = examine_receipts(
        [replace(first, entry=None, previous=b""), second],
        pins=frozenset({KEYS.fingerprint}),
        remembered=_last(SOUND[:2]),
    )
    assert flaws(found) == [Flaw.UNREADABLE]


def test_log_goes_on_from_segments_that_were_dropped() -> None:
    lines = lines_of(*SOUND, Dropped(segment=1, lines=12, last=b"l" * 32))
    moved = [replace(line, segment=2) for line in lines]
    chained = [replace(moved[0], previous=b"l" * 32), *moved[1:]]
    found = examine_receipts(chained, pins=frozenset({KEYS.fingerprint}), remembered=SOUND[-1].position)
    assert (found.is_sound, found.dropped) == (True, 12)
    unsaid = examine_receipts(chained[:-1], pins=frozenset({KEYS.fingerprint}), remembered=SOUND[-1].position)
    assert flaws(unsaid) == [Flaw.LINE_MISSING]
    assert moved[0].previous == FIRST


def heads(*versions: int) -> dict[int, bytes]:
    return {version: bytes([version]) * 32 for version in versions}


def test_history_that_holds_all_receipts_is_taken() -> None:
    assert compare_with_history(lines_of(*SOUND), heads=heads(5, 4, 3, 2, 1), newest=signed(5).position) == ()


def test_event_that_the_vault_forgot_is_named() -> None:
    (found,) = compare_with_history(lines_of(*SOUND), heads=heads(4, 3, 2, 1), newest=signed(4).position)
    assert (found.flaw, found.place) == (Flaw.FORGOTTEN, "receipts-000001.jsonl:5")


def test_event_that_the_vault_changed_is_named() -> None:
    changed = {**heads(5, 4, 3, 1), 2: b"x" * 32}
    (found,) = compare_with_history(lines_of(*SOUND), heads=changed, newest=signed(5).position)
    assert (found.flaw, found.place) == (Flaw.CHANGED, "receipts-000001.jsonl:3")


def test_what_the_user_accepted_as_gone_is_not_looked_for() -> None:
    lines = lines_of(*SOUND, Accepted(position=signed(2).position, at=Millis(2)))
    assert compare_with_history(lines, heads=heads(2, 1), newest=signed(2).position) == ()
