from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom_client.clock import Millis
from strongroom_client.receipts.format import (
    FIRST,
    Accepted,
    CutShort,
    Dropped,
    Entry,
    KeptReceipt,
    NotALine,
    decode_line,
    encode_line,
)
from strongroom_client.receipts.log import ReceiptLog
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.receipts import ReceiptFor

RECEIPT = KeptReceipt(
    receipt_for=ReceiptFor.STORE,
    challenge=b"c" * 32,
    ceremony=b"ceremony",
    reply_sha256=b"r" * 32,
    reply=b"",
    position=Position(7, b"h" * 32),
    identity_key=b"k" * 65,
    signature=b"s" * 64,
    verified_at=Millis(1),
)
NOTE = Accepted(position=GENESIS, at=Millis(2))


def entries(log: ReceiptLog) -> list[Entry | None]:
    return [line.entry for line in log.read()]


def fill(log: ReceiptLog) -> None:
    for _ in range(10):
        log.append(RECEIPT)


def is_chained(log: ReceiptLog, *, first: bytes = FIRST) -> bool:
    lines = list(log.read())
    before = [first, *(line.sha256 for line in lines)]
    return [line.previous for line in lines] == before[:-1]


@pytest.mark.parametrize(
    "entry",
    [RECEIPT, NOTE, CutShort(5), Dropped(segment=3, lines=4, last=b"l" * 32)],
    ids=lambda one: type(one).__name__,
)
def test_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode_line(encode_line(entry, previous=b"p" * 32)) == (b"p" * 32, entry)


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    "spoil",
    [
        put("format", 2),
        put("previous", "00"),
        put("entry", "later"),
        put("later", 1),
        put("receipt_for", "strongroom/v1/receipt/later"),
        put("challenge", "00"),
        put("reply", 1),
        put("version", -1),
        put("chain_head", "AA" * 32),
        put("identity_key", "00"),
        put("signature", "00" * 63),
        put("verified_at", None),
        lambda document: document.pop("signature"),
        lambda document: document.pop("format"),
    ],
)
def test_line_of_any_other_form_is_none(spoil: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(encode_line(RECEIPT, previous=FIRST))
    spoil(document)
    with pytest.raises(NotALine):
        decode_line(json.dumps(document).encode())


@pytest.mark.parametrize("line", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(NotALine):
        decode_line(line)


def test_lines_are_appended_and_chained_across_restarts(tmp_path: Path) -> None:
    ReceiptLog(tmp_path).append(RECEIPT)
    log = ReceiptLog(tmp_path)
    log.append(NOTE)
    log.append(RECEIPT)
    assert entries(log) == [RECEIPT, NOTE, RECEIPT]
    assert is_chained(log)


@pytest.mark.parametrize("kept", [1, 0])
def test_line_cut_short_by_a_crash_is_replaced_by_a_note_of_it(tmp_path: Path, kept: int) -> None:
    for _ in range(kept):
        ReceiptLog(tmp_path).append(RECEIPT)
    with (tmp_path / "receipts-000001.jsonl").open("ab") as file:
        file.write(b'{"format": 1, "prev')
    assert entries(ReceiptLog(tmp_path)) == [RECEIPT] * kept
    log = ReceiptLog(tmp_path)
    log.append(NOTE)
    assert entries(log) == [*[RECEIPT] * kept, CutShort(19), NOTE]
    assert is_chained(log)


def test_full_disk_leaves_no_half_line_before_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ReceiptLog(tmp_path)
    log.append(RECEIPT)

    def half(_: int) -> None:
        with (tmp_path / "receipts-000001.jsonl").open("r+b") as file:
            file.truncate(file.seek(0, 2) - 10)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", half)
        with pytest.raises(OSError, match="No space"):
            log.append(NOTE)
    log.append(RECEIPT)
    first, cut, last = entries(log)
    assert (first, type(cut), last) == (RECEIPT, CutShort, RECEIPT)
    assert is_chained(log)


def test_log_is_bounded_and_says_what_it_dropped(tmp_path: Path) -> None:
    log = ReceiptLog(tmp_path, segment_bytes=2_000, segments=3)
    added = 0
    while not any(isinstance(entry, Dropped) for entry in entries(log)):
        log.append(RECEIPT)
        added += 1
    kept = entries(log)
    (note,) = [entry for entry in kept if isinstance(entry, Dropped)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"receipts-00000{number}.jsonl" for number in (2, 3, 4)]
    assert note.lines + kept.count(RECEIPT) == added
    assert is_chained(log, first=note.last)
    for _ in range(40):
        log.append(RECEIPT)
    kept = entries(log)
    assert len(list(tmp_path.iterdir())) == 3
    notes = min(line.segment for line in log.read()) - 1
    dropped = sum(entry.lines for entry in kept if isinstance(entry, Dropped))
    assert dropped + len(kept) == added + 40 + notes, "what was dropped long ago is counted on"


def test_crash_between_the_note_and_the_drop_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ReceiptLog(tmp_path, segment_bytes=2_000, segments=2)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    log.append(RECEIPT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            fill(log)
    again = ReceiptLog(tmp_path, segment_bytes=2_000, segments=2)
    assert is_chained(again)
    fill(again)
    assert len(list(tmp_path.iterdir())) == 2
