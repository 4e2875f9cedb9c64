"""A tenant's feed before the real keeper: its own events, all of them, in order, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import event_pb2, tenant_service_pb2
from strongroom_service.keeper.feeding import MAX_ROWS
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import Owner, enrolled
from tests.fakes.passkey import Forgery
from tests.fakes.tenancy import ERASE, Tenancy
from tests.fakes.tenant import FakeTenant


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Of two tenants, who share one sequence of commits: alice (notes), bob (photos), alice again."""
    notes, photos = FakeTenant(), FakeTenant(name="photos", issuer="https://login.photos.example")
    desk = Desk(tmp_path, tenant=notes, others=[photos])
    alice = enrolled(desk)
    desk.tenant = photos
    enrolled(desk, "bob")
    desk.tenant = notes
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(unsigned=True))
    return desk


@pytest.fixture
def notes(desk: Desk) -> Tenancy:
    return Tenancy(desk, desk.tenants[0])


@pytest.fixture
def photos(desk: Desk) -> Tenancy:
    return Tenancy(desk, desk.tenants[1])


def told(events: list[tenant_service_pb2.TenantEvent]) -> list[tuple[str, int]]:
    return [(event.account, event.version) for event in events]


def walked(tenancy: Tenancy, *, limit: int) -> list[tenant_service_pb2.TenantEvent]:
    """The whole feed, page by page."""
    events: list[tenant_service_pb2.TenantEvent] = []
    cursor, more = b"", True
    while more:
        page = tenancy.page(cursor, limit=limit)
        events.extend(page.events)
        cursor, more = page.next_cursor, page.more
    return events


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_each_tenant_reads_all_its_own_events_in_order_and_no_others(
    notes: Tenancy, photos: Tenancy, limit: int
) -> None:
    assert told(walked(notes, limit=limit)) == [("alice", 1), ("alice", 2), ("alice", 3)]
    assert told(walked(photos, limit=limit)) == [("bob", 1), ("bob", 2)]


def test_page_without_any_event_of_its_own_still_leads_on(photos: Tenancy) -> None:
    page = photos.page(limit=2)
    assert (list(page.events), page.more) == ([], True)
    assert told(list(photos.page(page.next_cursor).events)) == [("bob", 1), ("bob", 2)]


def test_cursor_holds_until_something_new_comes(desk: Desk, notes: Tenancy) -> None:
    end = notes.page()
    assert (end.more, notes.page(end.next_cursor).next_cursor) == (False, end.next_cursor)
    enrolled(desk, "carol")
    assert told(list(notes.page(end.next_cursor).events)) == [("carol", 1), ("carol", 2)]


def test_event_says_what_happened_and_nothing_that_only_the_account_should_have(desk: Desk, notes: Tenancy) -> None:
    failed = notes.page().events[-1]
    assert (failed.kind, failed.outcome) == (event_pb2.EVENT_KIND_RELEASE, event_pb2.EVENT_OUTCOME_FAILED)
    assert (failed.account, failed.version, failed.failures) == ("alice", 3, 1)
    assert failed.reason.startswith("wrong_signature")
    assert failed.event_time.ToMilliseconds() == desk.clock.now()
    fields = {field.name for field in tenant_service_pb2.TenantEvent.DESCRIPTOR.fields}
    assert fields.isdisjoint({"ceremony", "assertion", "attestation", "cose_key", "envelope_sha256"})


def test_reset_erasure_and_sweep_are_in_the_feed(desk: Desk, notes: Tenancy) -> None:
    alice, end = Owner(desk), notes.page().next_cursor
    alice.reset()
    notes.order(ERASE)
    desk.clock.advance(seconds=30 * 86_400)
    alice.sweep()
    reset, erase, sweep = notes.page(end).events
    assert (reset.kind, erase.kind) == (event_pb2.EVENT_KIND_RESET, event_pb2.EVENT_KIND_ERASE_ACCOUNT)
    assert reset.HasField("erase_time")
    assert erase.HasField("erase_time")
    assert (sweep.kind, list(sweep.swept)) == (event_pb2.EVENT_KIND_SWEEP, [event_pb2.SWEPT_ACCOUNT])
    assert not sweep.HasField("erase_time")


def test_cursor_of_another_tenant_or_forged_is_refused(notes: Tenancy, photos: Tenancy) -> None:
    cursor = notes.page(limit=2).next_cursor
    flipped = cursor[:-1] + bytes([cursor[-1] ^ 1])
    moved = (int.from_bytes(cursor[:8], "big") + 1).to_bytes(8, "big") + cursor[8:]
    for forged in (photos.page(limit=2).next_cursor, flipped, moved, cursor[:-1], cursor + b"\0", b"\0"):
        with refused_for("INVALID_FIELD"):
            notes.ask(notes.feed_call(cursor=forged, events=[]))


def test_events_before_the_cursor_out_of_order_or_twice_are_rejected(desk: Desk, notes: Tenancy) -> None:
    first, second, third = desk.store.feed[:3]
    cursor = notes.page(limit=2).next_cursor
    for events in ([second, third], [third, third]):
        with refused_for("RecordRejected"):
            notes.ask(notes.feed_call(cursor=cursor, events=events))
    with refused_for("RecordRejected"):
        notes.ask(notes.feed_call(events=[second, first]))


def changed(row: frames_pb2.FeedRow, **members: object) -> frames_pb2.FeedRow:
    copy = frames_pb2.FeedRow()
    copy.CopyFrom(row)
    for name, value in members.items():
        setattr(copy, name, value)
    return copy


def test_event_of_another_tenant_never_leaks_whatever_row_it_is_put_into(desk: Desk, notes: Tenancy) -> None:
    alices, bobs = desk.store.feed[0], desk.store.feed[2]
    for forged in (
        bobs,
        changed(bobs, record_id=alices.record_id),
        changed(alices, sealed=bobs.sealed),
        changed(bobs, version=alices.version, record_id=alices.record_id),
    ):
        assert list(notes.ask(notes.feed_call(events=[forged])).events) == []


def test_forged_row_is_counted_and_logged_and_keeps_nobody_from_the_rest(desk: Desk, notes: Tenancy) -> None:
    first, second = desk.store.feed[:2]
    for forged in (
        changed(first, sealed=first.sealed[:-1] + bytes([first.sealed[-1] ^ 1])),
        changed(first, version=2),
        changed(first, record_id=bytes(32)),
        changed(first, sealed=b""),
    ):
        desk.log.lines.clear()
        page = notes.ask(notes.feed_call(events=[forged, second]))
        assert (told(list(page.events)), page.unreadable) == ([("alice", 2)], 1)
        assert [line for line, _ in desk.log.lines] == ["feed_event_rejected"]


def test_page_has_a_bound(desk: Desk, notes: Tenancy) -> None:
    rows = [changed(desk.store.feed[0], position=place) for place in range(1, MAX_ROWS + 2)]
    assert len(notes.ask(notes.feed_call(events=rows[:MAX_ROWS])).events) == MAX_ROWS
    with refused_for("INVALID_FIELD"):
        notes.ask(notes.feed_call(events=rows))


def test_feed_needs_a_tenant_token_and_a_nonce(desk: Desk, notes: Tenancy) -> None:
    for token in (Owner(desk).account_token("vault feed"), notes.token("feed", sub="alice")):
        with refused_for("TOKEN_REJECTED"):
            notes.ask(notes.feed_call(events=[], token=token))
    call = notes.feed_call(events=[])
    call.nonce = bytes(31)
    with refused_for("INVALID_FIELD"):
        notes.ask(call)


def test_cursor_outlives_a_restart_of_the_keeper(desk: Desk, notes: Tenancy) -> None:
    cursor = notes.page(limit=2).next_cursor
    desk.restart()
    assert told(list(notes.page(cursor).events)) == [("alice", 3)]
