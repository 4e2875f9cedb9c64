"""The memory of rows presented: bounded, and never misled by a row that did not open."""

from __future__ import annotations

import pytest

from strongroom_service.keeper.presented import PresentedRows, StaleRow


def test_newer_row_and_the_same_row_are_taken() -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(b"a", version=2, sealed=b"two")
    rows.check(b"a", version=2, sealed=b"two")
    rows.check(b"a", version=3, sealed=b"three")
    rows.check(b"b", version=1, sealed=b"one")


@pytest.mark.parametrize(("version", "sealed"), [(0, b""), (1, b"one"), (1, b"two"), (2, b"other"), (2, b"")])
def test_older_row_another_row_and_no_row_are_stale(version: int, sealed: bytes) -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(b"a", version=2, sealed=b"two")
    with pytest.raises(StaleRow) as caught:
        rows.check(b"a", version=version, sealed=sealed)
    assert caught.value.newest_version == 2


def test_row_that_was_only_checked_is_not_remembered() -> None:
    """It may be one that does not open: it must not shut out the real one."""
    rows = PresentedRows(capacity=2)
    rows.check(b"a", version=99, sealed=b"forged")
    rows.check(b"a", version=1, sealed=b"one")


def test_no_row_is_nothing_to_remember() -> None:
    rows = PresentedRows(capacity=1)
    rows.remember(b"a", version=1, sealed=b"one")
    rows.remember(b"b", version=0, sealed=b"")
    with pytest.raises(StaleRow):
        rows.check(b"a", version=0, sealed=b"")


def test_memory_is_bounded_and_forgets_what_was_presented_longest_ago() -> None:
    rows = PresentedRows(capacity=2)
    for record_id in (b"a", b"b", b"a", b"c"):
        rows.remember(record_id, version=2, sealed=record_id)
    rows.check(b"b", version=1, sealed=b"")
    for record_id in (b"a", b"c"):
        with pytest.raises(StaleRow):
            rows.check(record_id, version=1, sealed=b"")


def test_forgotten_record_may_begin_anywhere() -> None:
    rows = PresentedRows(capacity=2)
    rows.remember(b"alice", version=5, sealed=b"five")
    assert rows.forget(b"alice") == 5
    rows.check(b"alice", version=3, sealed=b"three")
    assert rows.forget(b"alice") == 0
