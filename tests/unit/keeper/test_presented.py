"""The memory of rows presented: bounded, and never misled by a row that did not open."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from strongroom_service.keeper.presented import PresentedRows, StaleRow

ALICE, BOB, CAROL, DAVE = (bytes(31) + name for name in (b"a", b"b", b"c", b"d"))


def test_newer_row_and_the_same_row_are_taken() -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(ALICE, version=2, sealed=b"two")
    rows.check(ALICE, version=2, sealed=b"two")
    rows.check(ALICE, version=3, sealed=b"three")
    rows.check(BOB, version=1, sealed=b"one")


@pytest.mark.parametrize(("version", "sealed"), [(0, b""), (1, b"one"), (1, b"two"), (2, b"other"), (2, b"")])
def test_older_row_another_row_and_no_row_are_stale(version: int, sealed: bytes) -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(ALICE, version=2, sealed=b"two")
    with pytest.raises(StaleRow) as caught:
        rows.check(ALICE, version=version, sealed=sealed)
    assert caught.value.newest_version == 2


def test_row_that_was_only_checked_is_not_remembered() -> None:
    """It may be one that does not open: it must not shut out the real one."""
    rows = PresentedRows(capacity=2)
    rows.check(ALICE, version=99, sealed=b"forged")
    rows.check(ALICE, version=1, sealed=b"one")


def test_no_row_is_nothing_to_remember() -> None:
    rows = PresentedRows(capacity=1)
    rows.remember(ALICE, version=1, sealed=b"one")
    rows.remember(BOB, version=0, sealed=b"")
    with pytest.raises(StaleRow):
        rows.check(ALICE, version=0, sealed=b"")


def test_memory_is_bounded_and_forgets_what_was_presented_longest_ago() -> None:
    rows = PresentedRows(capacity=2)
    for record_id in (ALICE, BOB, ALICE, CAROL):
        rows.remember(record_id, version=2, sealed=record_id)
    rows.check(BOB, version=1, sealed=b"")
    for record_id in (ALICE, CAROL):
        with pytest.raises(StaleRow):
            rows.check(record_id, version=1, sealed=b"")


def test_forgotten_record_may_begin_anywhere() -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(ALICE, version=5, sealed=b"five")
    assert rows.forget(ALICE) == 5
    rows.check(ALICE, version=3, sealed=b"three")
    assert rows.forget(ALICE) == 0


def test_forgetting_one_leaves_the_others_and_room_for_one_more() -> None:
    rows = PresentedRows(capacity=3)
    for record_id in (ALICE, BOB, CAROL):
        rows.remember(record_id, version=2, sealed=record_id)
    assert rows.forget(BOB) == 2
    rows.remember(DAVE, version=2, sealed=b"")
    for record_id in (ALICE, CAROL, DAVE):
        with pytest.raises(StaleRow):
            rows.check(record_id, version=1, sealed=b"")


def test_each_record_keeps_its_newest_row_among_thousands() -> None:
    rows, ids = PresentedRows(capacity=65_536), [hashlib.sha256(b"%d" % number).digest() for number in range(20_000)]
    for version in (1, 2):
        for record_id in ids:
            rows.remember(record_id, version=version, sealed=record_id)
    for record_id in ids:
        rows.check(record_id, version=2, sealed=record_id)
        with pytest.raises(StaleRow):
            rows.check(record_id, version=1, sealed=record_id)


def test_bytes_of_two_fields_are_no_record_id() -> None:
    """Within a slot, what begins elsewhere than a slot may look like an id."""
    rows = PresentedRows(capacity=1)
    rows.remember(ALICE, version=1, sealed=b"one")
    shifted = ALICE[8:] + (1).to_bytes(8, "big")
    rows.check(shifted, version=0, sealed=b"")
    assert rows.forget(shifted) == 0


def test_memory_is_taken_at_the_start_and_grows_with_nobody() -> None:
    tracemalloc.start()
    rows = PresentedRows(capacity=4_096)
    before, _ = tracemalloc.get_traced_memory()
    for number in range(4_096):
        rows.remember(hashlib.sha256(b"%d" % number).digest(), version=1, sealed=b"")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert before > 4_096 * 72
    assert after - before < 4_096


def test_what_is_no_record_id_has_no_place() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PresentedRows(capacity=1).check(b"short", version=1, sealed=b"")
