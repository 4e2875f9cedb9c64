"""The steps of one ceremony open their row once; what is remembered is what opening would give."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.identifiers import RecordId
from strongroom_service.keeper.opened_record import RecordOpener
from strongroom_service.keeper.presented import PresentedRows
from strongroom_service.keeper.token.port import KeyPurpose
from strongroom_service.keeper.vault_keys import open_vault
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Person
from tests.fakes.token import FakeToken


class CountingToken(FakeToken):
    """Counts the one-time keys derived: one for each row that is opened, one for each change that is sealed."""

    def __init__(self) -> None:
        super().__init__()
        self.one_time_keys = 0

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        self.one_time_keys += label == "strongroom/v1/seal-key"
        return super().derive(purpose=purpose, epoch=epoch, label=label, context=context)


@pytest.fixture
def token() -> CountingToken:
    return CountingToken()


@pytest.fixture
def counted_desk(tmp_path: Path, token: CountingToken) -> Desk:
    return Desk(tmp_path, token=token)


def opener_for(desk: Desk, *, remembered: int) -> RecordOpener:
    keys = open_vault(desk.token, version=desk.vault_version, sealed=desk.vault_sealed)
    return RecordOpener(keys=keys, presented=PresentedRows(capacity=10), remembered=remembered)


def open_with(opener: RecordOpener, person: Person) -> None:
    opener.open(person.row(), record_id=RecordId(person.desk.record_id(person.account)))


def test_a_release_opens_one_row_and_seals_one(counted_desk: Desk, token: CountingToken) -> None:
    person = Person(counted_desk)
    person.enroll()
    counted_desk.restart()
    token.one_time_keys = 0
    person.release()
    assert token.one_time_keys == 2


def test_what_is_remembered_is_what_a_new_keeper_opens(desk: Desk) -> None:
    person = Person(desk)

    def compare() -> None:
        remembered = desk.describe("alice")
        desk.restart()
        assert desk.describe("alice") == remembered

    person.complete(person.begin_registration())
    compare()
    person.complete(person.begin_store(), envelope=b"an envelope")
    compare()
    person.release(opened=2)
    compare()
    with refused_for("NOT_VERIFIED"):
        person.release(forgery=Forgery(unsigned=True))
    compare()
    person.complete(person.begin_delete())
    compare()


def test_other_bytes_than_those_remembered_are_opened_and_rejected(alice: Person) -> None:
    opener = opener_for(alice.desk, remembered=10)
    record_id = RecordId(alice.desk.record_id("alice"))
    row = alice.row()
    record = opener_for(alice.desk, remembered=10).open(row, record_id=record_id)
    assert record is not None
    opener.expect(record, record_id=record_id, sealed=row.sealed)
    row.sealed = row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])
    with pytest.raises(RecordRejected):
        opener.open(row, record_id=record_id)


def test_what_is_remembered_is_not_given_to_another_account(desk: Desk, alice: Person) -> None:
    opener = opener_for(desk, remembered=10)
    open_with(opener, alice)
    with pytest.raises(RecordRejected):
        opener.open(alice.row(), record_id=RecordId(desk.record_id("bob")))


def test_only_the_newest_rows_are_remembered(counted_desk: Desk, token: CountingToken) -> None:
    people = [Person(counted_desk, account) for account in ("alice", "bob", "carol")]
    for person in people:
        person.enroll()
    opener = opener_for(counted_desk, remembered=2)
    for person in people:
        open_with(opener, person)
    token.one_time_keys = 0
    open_with(opener, people[2])
    open_with(opener, people[1])
    assert token.one_time_keys == 0
    open_with(opener, people[0])
    assert token.one_time_keys == 1
