"""A key's life: each step in its turn and no sooner, and what each state still opens."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2, operator_pb2, record_pb2
from strongroom.v1 import event_pb2
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from tests.fakes.desk import Desk, refused_for
from tests.fakes.operator_desk import SPREAD_MS, OperatorDesk
from tests.fakes.owner import enrolled
from tests.fakes.passkey import Forgery
from tests.fakes.person import Person, open_release
from tests.fakes.token import FakeToken

PURPOSES = {
    KeyPurpose.KEK: record_pb2.KEY_PURPOSE_KEK,
    KeyPurpose.SEAL: record_pb2.KEY_PURPOSE_SEAL,
    KeyPurpose.TRANSPORT: record_pb2.KEY_PURPOSE_TRANSPORT,
    KeyPurpose.IDENTITY: record_pb2.KEY_PURPOSE_IDENTITY,
    KeyPurpose.INDEX: record_pb2.KEY_PURPOSE_INDEX,
}
ROTATED = [purpose for purpose in PURPOSES if purpose is not KeyPurpose.INDEX]
PREPARE, ACTIVATE, RETIRE, TAKE_BACK, DESTROY = (
    operator_pb2.KEY_CHANGE_PREPARE,
    operator_pb2.KEY_CHANGE_ACTIVATE,
    operator_pb2.KEY_CHANGE_RETIRE,
    operator_pb2.KEY_CHANGE_TAKE_BACK,
    operator_pb2.KEY_CHANGE_DESTROY,
)
SPREAD = SPREAD_MS // 1_000
SEALED_TO = 300


class Keys:
    """An operator who changes keys at a desk, and commits each change."""

    def __init__(self, desk: Desk) -> None:
        assert isinstance(desk.token, FakeToken)
        self.desk, self.token = desk, desk.token
        self.operator = OperatorDesk(desk)

    def change(self, purpose: KeyPurpose, epoch: int, change: operator_pb2.KeyChange.ValueType) -> None:
        call = operator_pb2.ChangeKeyCall(purpose=PURPOSES[purpose], epoch=epoch, change=change)
        made = self.operator.ask(operator_pb2.OperatorCall(change_key=call)).change_key
        assert made.vault_version == self.desk.vault_version + 1
        self.desk.vault_version, self.desk.vault_sealed = made.vault_version, made.successor_sealed
        self.operator.open_vault()

    def prepare(self, purpose: KeyPurpose) -> None:
        self.token.make_key(KeyName(purpose, 2))
        self.change(purpose, 2, PREPARE)

    def rotate(self, *purposes: KeyPurpose) -> None:
        """Replace epoch 1 by epoch 2, everywhere."""
        for purpose in purposes:
            self.prepare(purpose)
        self.desk.clock.advance(seconds=SPREAD)
        for purpose in purposes:
            self.change(purpose, 2, ACTIVATE)
        self.desk.clock.advance(seconds=SPREAD)

    def survey(self) -> int:
        """Look at every record."""
        asked = operator_pb2.SurveyCall(rows=self.operator.rows())
        return self.operator.ask(operator_pb2.OperatorCall(survey=asked)).survey.rows

    def retire(self, *purposes: KeyPurpose) -> None:
        self.operator = OperatorDesk(self.desk)
        self.survey()
        for purpose in purposes:
            self.change(purpose, 1, RETIRE)

    def rewrap(self, person: Person, *, head: bytes = b"") -> bool:
        """Rewrap a record, and commit it; tell whether there was anything to do."""
        call = operator_pb2.RewrapCall(row=person.row(), chain_head=head)
        reply = self.operator.ask(operator_pb2.OperatorCall(rewrap=call)).rewrap
        if reply.HasField("commit"):
            self.desk.store.commit(reply.commit)
        return reply.HasField("commit")

    def states(self) -> dict[str, int]:
        listed = self.operator.ask(operator_pb2.OperatorCall(list_keys=operator_pb2.ListKeysCall())).list_keys
        return {each.label: each.key.state for each in listed.keys}


@pytest.fixture
def keys(desk: Desk) -> Keys:
    return Keys(desk)


@pytest.mark.parametrize("purpose", ROTATED)
def test_whole_life_of_a_key(keys: Keys, purpose: KeyPurpose) -> None:
    alice = Person(keys.desk)
    alice.enroll(b"alice's envelope")
    keys.rotate(purpose)
    assert released(alice) == b"alice's envelope"
    keys.rewrap(alice)
    keys.desk.clock.advance(seconds=SEALED_TO)
    keys.retire(purpose)
    assert released(alice) == b"alice's envelope"
    assert keys.states()[purpose.label(1)] == record_pb2.EPOCH_STATE_RETIRED
    keys.change(purpose, 1, DESTROY)
    keys.token.destroy_key(KeyName(purpose, 1))
    if purpose is not KeyPurpose.SEAL:  # whose events are still to be read
        keys.desk.restart()
        assert released(alice) == b"alice's envelope"


@pytest.mark.parametrize("purpose", ROTATED)
@pytest.mark.parametrize("change", [ACTIVATE, RETIRE, TAKE_BACK, DESTROY])
def test_step_out_of_turn_is_refused(keys: Keys, purpose: KeyPurpose, change: operator_pb2.KeyChange.ValueType) -> None:
    for epoch in (1, 2):
        with refused_for("Misconfigured"):
            keys.change(purpose, epoch, change)


def test_index_key_has_no_next_epoch(keys: Keys) -> None:
    with refused_for("Misconfigured"):
        keys.change(KeyPurpose.INDEX, 0, PREPARE)


@pytest.mark.parametrize("purpose", ROTATED)
def test_key_is_prepared_once_in_its_order_and_only_if_it_is_there(keys: Keys, purpose: KeyPurpose) -> None:
    with refused_for("Misconfigured"):
        keys.change(purpose, 2, PREPARE)  # not in the token
    for epoch in (2, 3):
        keys.token.make_key(KeyName(purpose, epoch))
    with refused_for("Misconfigured"):
        keys.change(purpose, 3, PREPARE)
    keys.change(purpose, 2, PREPARE)
    with refused_for("Misconfigured"):
        keys.change(purpose, 3, PREPARE)


@pytest.mark.parametrize("purpose", ROTATED)
def test_no_step_before_every_keeper_knows_of_the_last(keys: Keys, purpose: KeyPurpose) -> None:
    keys.prepare(purpose)
    keys.desk.clock.advance(seconds=SPREAD - 1)
    with refused_for("Misconfigured"):
        keys.change(purpose, 2, ACTIVATE)
    keys.desk.clock.advance(seconds=1)
    keys.change(purpose, 2, ACTIVATE)
    keys.desk.clock.advance(seconds=SPREAD - 1)
    with refused_for("Misconfigured"):
        keys.retire(purpose)


def test_transport_key_retires_once_no_client_can_seal_to_it(keys: Keys) -> None:
    keys.rotate(KeyPurpose.TRANSPORT)
    keys.desk.clock.advance(seconds=SEALED_TO - 1)
    with refused_for("Misconfigured"):
        keys.retire(KeyPurpose.TRANSPORT)
    keys.desk.clock.advance(seconds=1)
    keys.retire(KeyPurpose.TRANSPORT)


@pytest.mark.parametrize("purpose", [KeyPurpose.KEK, KeyPurpose.SEAL])
def test_what_a_keeper_ahead_of_us_has_made_opens(keys: Keys, purpose: KeyPurpose) -> None:
    """One keeper goes by the activation already, another knows the key as prepared only."""
    alice = Person(keys.desk)
    keys.prepare(purpose)
    behind = keys.desk.vault_version, keys.desk.vault_sealed
    keys.desk.clock.advance(seconds=SPREAD)
    keys.change(purpose, 2, ACTIVATE)
    alice.enroll(b"by the one ahead")
    keys.desk.vault_version, keys.desk.vault_sealed = behind
    keys.desk.restart()
    assert released(alice) == b"by the one ahead"


@pytest.mark.parametrize("purpose", [KeyPurpose.KEK, KeyPurpose.SEAL])
def test_key_that_a_record_needs_does_not_retire(keys: Keys, purpose: KeyPurpose) -> None:
    for name in ("alice", "bob"):
        Person(keys.desk, name).enroll()
    keys.rotate(purpose)
    with refused_for("Misconfigured"):
        keys.retire(purpose)
    keys.rewrap(Person(keys.desk, "alice"))
    with refused_for("Misconfigured"):
        keys.retire(purpose)
    keys.rewrap(Person(keys.desk, "bob"))
    keys.retire(purpose)


@pytest.mark.parametrize("purpose", [KeyPurpose.KEK, KeyPurpose.SEAL])
def test_key_does_not_retire_unlooked_for_or_by_what_was_seen_too_early(keys: Keys, purpose: KeyPurpose) -> None:
    keys.prepare(purpose)
    keys.desk.clock.advance(seconds=SPREAD)
    Person(keys.desk).enroll()
    keys.change(purpose, 2, ACTIVATE)
    with refused_for("Misconfigured"):
        keys.change(purpose, 1, RETIRE)
    keys.rewrap(Person(keys.desk))
    keys.survey()  # somebody may still be making things with the key before
    keys.desk.clock.advance(seconds=SPREAD)
    with refused_for("Misconfigured"):
        keys.change(purpose, 1, RETIRE)
    keys.retire(purpose)  # control: looked at again


def test_envelope_that_is_set_aside_is_seen_and_rewrapped(keys: Keys) -> None:
    alice = enrolled(keys.desk, envelope=b"before the reset")
    alice.reset()
    keys.rotate(KeyPurpose.KEK)
    with refused_for("Misconfigured"):
        keys.retire(KeyPurpose.KEK)
    assert keys.rewrap(alice)
    keys.retire(KeyPurpose.KEK)


def released(person: Person) -> bytes:
    [only] = person.release()
    return only.envelope


def put_back(desk: Desk, person: Person, row: frames_pb2.Row) -> None:
    """An attacker's older row, before a keeper that has not seen the newer."""
    desk.store.rows[desk.record_id(person.account)] = row
    desk.restart()


@pytest.mark.parametrize("purpose", [KeyPurpose.KEK, KeyPurpose.SEAL])
def test_row_of_a_retired_key_opens_nothing_and_of_one_taken_back_it_does(keys: Keys, purpose: KeyPurpose) -> None:
    alice = Person(keys.desk)
    alice.enroll(b"of old")
    old = alice.row()
    keys.rotate(purpose)
    keys.rewrap(alice)
    keys.retire(purpose)
    put_back(keys.desk, alice, old)
    with refused_for("RecordRejected"):
        alice.release()
    keys.operator = OperatorDesk(keys.desk)
    keys.change(purpose, 1, TAKE_BACK)
    put_back(keys.desk, alice, old)
    assert released(alice) == b"of old"


def test_rewrap_changes_the_keys_and_nothing_else(keys: Keys) -> None:
    alice = Person(keys.desk)
    alice.enroll(b"alice's envelope")
    before = keys.desk.describe("alice")
    keys.rotate(KeyPurpose.KEK, KeyPurpose.SEAL)
    assert keys.rewrap(alice)
    assert not keys.rewrap(alice)
    after = keys.desk.describe("alice")
    assert (after.credentials, after.archives, after.attempts_left) == (
        before.credentials,
        before.archives,
        before.attempts_left,
    )
    newest = keys.desk.list_events("alice").events[0]
    assert (newest.kind, newest.outcome) == (event_pb2.EVENT_KIND_REWRAP, event_pb2.EVENT_OUTCOME_GRANTED)


def test_rewrap_forgives_no_attempt_and_forgets_no_grant(keys: Keys) -> None:
    alice = Person(keys.desk)
    alice.enroll(b"alice's envelope")
    granted = alice.begin_release()
    alice.complete(granted)
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(unsigned=True))
    left = keys.desk.describe("alice").attempts_left
    for purpose in (KeyPurpose.KEK, KeyPurpose.SEAL):
        keys.prepare(purpose)
    keys.desk.clock.advance(seconds=SPREAD)
    for purpose in (KeyPurpose.KEK, KeyPurpose.SEAL):
        keys.change(purpose, 2, ACTIVATE)
    assert keys.rewrap(alice)
    assert keys.desk.describe("alice").attempts_left == left == 9
    [again] = open_release(granted, alice.fulfil(granted))
    assert again.envelope == b"alice's envelope"


def test_record_that_does_not_lead_on_from_its_leaf_is_not_rewrapped(keys: Keys) -> None:
    alice = Person(keys.desk)
    alice.enroll()
    keys.rotate(KeyPurpose.KEK)
    with refused_for("RecordRejected"):
        keys.rewrap(alice, head=bytes(32))


def test_pages_and_cursors_of_before_go_on(keys: Keys) -> None:
    alice = Person(keys.desk)
    alice.enroll()
    for _ in range(3):
        alice.release()
    events = keys.desk.store.events[keys.desk.record_id("alice")]
    page = keys.desk.list_events("alice", events=events[:2])
    assert page.next_page_token
    keys.rotate(KeyPurpose.SEAL)
    older = keys.desk.list_events("alice", page_token=page.next_page_token)
    assert older.events[-1].kind == event_pb2.EVENT_KIND_REGISTER
