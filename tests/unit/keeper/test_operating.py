"""What a keeper answers to operators' commands, and what it signs: only what it has opened itself."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2, operator_pb2
from strongroom.v1 import event_pb2
from strongroom_service.domain.checkpoints import CheckpointHead, Leaf, LeafTree, SignedCheckpoint
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.records import next_head
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from tests.fakes.desk import Desk, refused_for
from tests.fakes.operator_desk import OperatorDesk
from tests.fakes.person import Person


@pytest.fixture
def operator(desk: Desk) -> OperatorDesk:
    """Beside a desk of three accounts with three events each."""
    for account in ("alice", "bob", "carol"):
        person = Person(desk, account)
        person.enroll()
        person.release()
    return OperatorDesk(desk)


def head_after(events: list[frames_pb2.EventRow]) -> bytes:
    head = bytes(32)
    for event in events:
        head = next_head(head, event.sealed)
    return head


def opened_rows(operator: OperatorDesk, *rows: frames_pb2.Row) -> list[operator_pb2.OpenedRow]:
    asked = operator_pb2.OpenRecordsCall(rows=rows)
    return list(operator.ask(operator_pb2.OperatorCall(open_records=asked)).open_records.rows)


def changed(row: frames_pb2.Row, **changes: object) -> frames_pb2.Row:
    copy = frames_pb2.Row()
    copy.CopyFrom(row)
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


def test_heads_are_those_of_the_chains(operator: OperatorDesk) -> None:
    rows = operator.rows()
    heads = [each.chain_head for each in opened_rows(operator, *rows)]
    assert heads == [head_after(operator.events(row.record_id)) for row in rows]


def test_row_that_is_not_its_own_does_not_open(operator: OperatorDesk) -> None:
    one, other, _ = operator.rows()
    spoilt = [
        changed(one, version=2),
        changed(one, record_id=other.record_id),
        changed(one, sealed=other.sealed),
        changed(one, sealed=b"nothing"),
        changed(one, sealed=operator.events(one.record_id)[-1].sealed),
    ]
    assert [each.opened for each in opened_rows(operator, one, *spoilt)] == [True] + [False] * 5


def test_events_tell_what_they_were_sealed_after(operator: OperatorDesk) -> None:
    row, other, _ = operator.rows()
    events = operator.events(row.record_id)
    strange = operator.events(other.record_id)[1]
    asked = operator_pb2.OpenEventsCall(record_id=row.record_id, events=[*events, strange])
    looks = operator.ask(operator_pb2.OperatorCall(open_events=asked)).open_events.events
    assert [look.opened for look in looks] == [True, True, True, False]
    assert [look.previous_head for look in looks[:3]] == [head_after(events[:number]) for number in range(3)]


def test_place_of_an_event_is_found_among_those_given(operator: OperatorDesk) -> None:
    row, other, _ = operator.rows()
    sealed = operator.events(row.record_id)[1].sealed
    wrong = [operator_pb2.EventPlace(record_id=each, version=3) for each in (row.record_id, other.record_id)]
    right = operator_pb2.EventPlace(record_id=row.record_id, version=2)
    for places, found in ((wrong, None), ([*wrong, right], right), ([], None)):
        asked = operator_pb2.FindPlaceCall(sealed=sealed, places=places)
        reply = operator.ask(operator_pb2.OperatorCall(find_place=asked)).find_place
        assert (reply.place if reply.HasField("place") else None) == found
    asked = operator_pb2.FindPlaceCall(sealed=b"nothing", places=[right])
    assert not operator.ask(operator_pb2.OperatorCall(find_place=asked)).find_place.HasField("place")


def signed_of(made: operator_pb2.FinishCheckpointReply) -> SignedCheckpoint:
    head = CheckpointHead(
        serial=made.serial,
        made_at=Millis(made.made_at),
        vault_version=made.vault_version,
        leaves=made.leaves,
        root=made.root,
        previous_sha256=made.previous_sha256,
    )
    return SignedCheckpoint(head=head, identity_public_key=made.identity_public_key, signature=made.signature)


def test_checkpoint_is_over_the_heads_that_were_opened(operator: OperatorDesk) -> None:
    rows = operator.rows()
    heads = operator.add_leaves(rows[:2]) + operator.add_leaves(rows[2:])
    made = operator.finish_checkpoint()
    tree = LeafTree()
    for row, head in zip(rows, heads, strict=True):
        assert head == head_after(operator.events(row.record_id))
        tree.add(Leaf(row.record_id, row.version, head))
    assert (made.leaves, made.root) == (3, tree.root)
    assert (made.serial, made.previous_sha256, made.made_at) == (1, bytes(32), operator.desk.clock.now())
    point = operator.desk.token.identity_public_key(epoch=1)
    check_signature(signed_of(made), pins={identity_fingerprint(point)})


def test_next_checkpoint_names_the_one_that_was_committed(operator: OperatorDesk) -> None:
    operator.add_leaves(operator.rows())
    first = operator.finish_checkpoint()
    assert OperatorDesk(operator.desk).finish_checkpoint().serial == 1  # control: not committed, so it never was
    operator.commit_vault(first)
    later = OperatorDesk(operator.desk)
    digest = signed_of(first).head.digest
    assert (later.standing.checkpoint_serial, later.standing.checkpoint_sha256) == (1, digest)
    assert later.standing.checkpoint_at == first.made_at
    second = later.finish_checkpoint()
    assert (second.serial, second.previous_sha256, second.leaves) == (2, digest, 0)


def test_finishing_again_goes_by_the_newer_row_of_the_vault(operator: OperatorDesk) -> None:
    """Somebody else's change to the vault's row came first."""
    operator.add_leaves(operator.rows())
    lost, other = operator.finish_checkpoint(), OperatorDesk(operator.desk)
    other.commit_vault(other.finish_checkpoint())
    operator.open_vault()
    again = operator.finish_checkpoint()
    assert (again.serial, again.vault_version, again.root) == (2, lost.vault_version + 1, lost.root)


@pytest.mark.parametrize("spoilt", ["version", "sealed", "record_id"])
def test_checkpoint_over_a_row_that_does_not_open_is_not_signed(operator: OperatorDesk, spoilt: str) -> None:
    one, other, last = operator.rows()
    value = {"version": 9, "sealed": last.sealed, "record_id": bytes([255]) * 32}[spoilt]
    with refused_for("RecordRejected"):
        operator.add_leaves([one, changed(other, **{spoilt: value})])
    assert operator.finish_checkpoint().leaves == 1


@pytest.mark.parametrize("record_id", [b"", bytes(31), bytes(33)], ids=len)
def test_row_under_no_record_id_is_not_swept(operator: OperatorDesk, record_id: bytes) -> None:
    row = changed(operator.rows()[0], record_id=record_id)
    with refused_for("RecordRejected"):
        operator.ask(operator_pb2.OperatorCall(sweep=operator_pb2.SweepCall(row=row)))


def test_rows_out_of_order_are_refused(operator: OperatorDesk) -> None:
    one, other, _ = operator.rows()
    with refused_for("RecordRejected"):
        operator.add_leaves([other, one])
    with refused_for("RecordRejected"):
        operator.add_leaves([other])


def test_older_row_of_the_vault_is_stale(operator: OperatorDesk) -> None:
    before = operator.desk.vault_version, operator.desk.vault_sealed
    operator.commit_vault(operator.finish_checkpoint())
    operator.open_vault()
    operator.desk.vault_version, operator.desk.vault_sealed = before
    with refused_for("STALE"):
        operator.open_vault()


def test_vault_row_that_does_not_open_is_a_fault(operator: OperatorDesk) -> None:
    operator.desk.vault_version, operator.desk.vault_sealed = 9, b"nothing"
    with refused_for("RecordRejected"):
        operator.open_vault()


def test_export_gives_events_out_of_their_seals(operator: OperatorDesk) -> None:
    row = operator.rows()[0]
    asked = operator_pb2.ExportRecordCall(row=row)
    record = operator.ask(operator_pb2.OperatorCall(export_record=asked)).export_record
    assert (record.tenant, record.chain_head) == ("notes", head_after(operator.events(row.record_id)))
    assert record.account in {"alice", "bob", "carol"}
    events = operator_pb2.ExportEventsCall(events=operator.events(row.record_id))
    given = operator.ask(operator_pb2.OperatorCall(export_events=events)).export_events.events
    contents = [event_pb2.Event.FromString(each.content) for each in given]
    assert [each.version for each in contents] == [1, 2, 3]
    assert all(each.ceremony for each in contents)
    assert len({record.tally, *(each.tally for each in given)}) == 4
    end = operator.ask(operator_pb2.OperatorCall(finish_export=operator_pb2.FinishExportCall())).finish_export
    assert (end.records, end.events) == (1, 3)


def test_export_of_what_does_not_open_is_a_fault(operator: OperatorDesk) -> None:
    row, other, _ = operator.rows()
    with refused_for("RecordRejected"):
        asked = operator_pb2.ExportRecordCall(row=changed(row, version=2))
        operator.ask(operator_pb2.OperatorCall(export_record=asked))
    operator.ask(operator_pb2.OperatorCall(export_record=operator_pb2.ExportRecordCall(row=row)))
    with refused_for("RecordRejected"):
        events = operator_pb2.ExportEventsCall(events=operator.events(other.record_id))
        operator.ask(operator_pb2.OperatorCall(export_events=events))


def test_lost_token_is_told_and_replaces_the_keeper(operator: OperatorDesk) -> None:
    assert not operator.desk.handler.spent
    operator.desk.lose_token()
    with refused_for("TokenFault"):
        operator.add_leaves(operator.rows())
    assert operator.desk.handler.spent


def test_call_that_is_none_is_a_fault(operator: OperatorDesk) -> None:
    with refused_for("Misconfigured"):
        operator.ask(operator_pb2.OperatorCall())


def test_older_row_is_taken_once_it_was_accepted(operator: OperatorDesk) -> None:
    person = Person(operator.desk, "dora")
    person.enroll()
    older = person.row()
    person.release()
    person.begin_release()  # the keeper has seen version 3
    operator.desk.store.rows[older.record_id] = older
    with refused_for("STALE"):
        person.begin_release()
    call = operator_pb2.OperatorCall(accept_older=operator_pb2.AcceptOlderCall(row=older))
    assert operator.ask(call).accept_older.newest_version == 3
    person.begin_release()
    [(_, told)] = [line for line in operator.desk.log.lines if line[0] == "older_row_accepted"]
    assert told == {"record": older.record_id.hex(), "version": 2, "newest_version": 3}


@pytest.mark.parametrize(
    "spoilt", [{"version": 2}, {"record_id": b""}, {"record_id": bytes(31)}, {"record_id": bytes(33)}], ids=str
)
def test_row_that_does_not_open_is_not_accepted(operator: OperatorDesk, spoilt: dict[str, object]) -> None:
    row = operator.rows()[0]
    with refused_for("RecordRejected"):
        asked = operator_pb2.AcceptOlderCall(row=changed(row, **spoilt))
        operator.ask(operator_pb2.OperatorCall(accept_older=asked))
