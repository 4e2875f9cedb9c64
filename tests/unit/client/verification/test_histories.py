from __future__ import annotations

import pytest

from strongroom.v1 import event_pb2
from strongroom_client.errors import ReplyMismatch, VaultWentBack
from strongroom_client.verification.histories import check_page, next_page_start, page_end
from strongroom_client.verification.positions import GENESIS, Position


def head(version: int) -> bytes:
    return bytes([version]) * 32


def events(*versions: int) -> list[event_pb2.Event]:
    return [event_pb2.Event(version=version, chain_head=head(version)) for version in versions]


def position(version: int) -> Position:
    return Position(version, head(version))


def test_whole_pages_are_taken() -> None:
    check_page(events(5, 4, 3), start=position(5), end=position(2), known=position(4))
    check_page(events(2, 1), start=position(2), end=GENESIS, known=position(4))
    check_page([], start=GENESIS, end=GENESIS, known=GENESIS)


@pytest.mark.parametrize("versions", [(), (5, 3), (4, 3), (5, 4), (5, 4, 3, 2), (5, 4, 4, 3), (3, 4, 5)])
def test_page_with_an_event_missing_or_too_many_is_refused(versions: tuple[int, ...]) -> None:
    with pytest.raises(ReplyMismatch):
        check_page(events(*versions), start=position(5), end=position(2), known=GENESIS)


@pytest.mark.parametrize("version", [2**31, 2**63, 2**64 - 1])
def test_page_that_is_to_hold_more_events_than_memory_is_refused(version: int) -> None:
    start = Position(version, head(1))
    events_of_start = [event_pb2.Event(version=version, chain_head=head(1))]
    with pytest.raises(ReplyMismatch):
        check_page(events_of_start, start=start, end=GENESIS, known=GENESIS)


def test_page_that_does_not_continue_the_one_before_is_refused() -> None:
    with pytest.raises(ReplyMismatch, match="continue"):
        check_page(events(5, 4, 3), start=Position(5, head(9)), end=position(2), known=GENESIS)


def test_history_that_does_not_pass_through_the_known_head_is_refused() -> None:
    with pytest.raises(VaultWentBack):
        check_page(events(5, 4, 3), start=position(5), end=position(2), known=Position(4, head(9)))


def test_page_token_tells_where_the_next_page_begins() -> None:
    token = (2).to_bytes(8, "big") + head(2) + bytes(32)
    assert next_page_start(token) == position(2)
    assert next_page_start(b"") == GENESIS
    with pytest.raises(ReplyMismatch):
        next_page_start(token[:-1])


def test_history_may_begin_with_the_event_that_the_vault_says_is_its_first() -> None:
    assert page_end(b"", first_version=0) == GENESIS
    assert page_end(b"", first_version=40).version == 39
    with pytest.raises(ReplyMismatch, match="both a first event and a further page"):
        page_end(bytes(72), first_version=40)
