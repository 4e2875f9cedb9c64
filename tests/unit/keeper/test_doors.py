"""Two doors: what is asked by the wrong one is no question at all."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError, Message

from strongroom.keeper.v1 import operator_pb2, record_pb2
from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply
from strongroom.keeper.v1.operator_pb2 import OperatorCall, OperatorReply
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.visits import MessageVisit, front_visit, operator_visit
from strongroom_service.link.frames import FrameReader
from tests.fakes.desk import Desk, SilentLog
from tests.fakes.operator_desk import OperatorDesk
from tests.fakes.person import Person
from tests.fakes.token import FakeToken

OPERATOR_CALLS = [field.name for field in OperatorCall.DESCRIPTOR.oneofs_by_name["call"].fields]
NEXT_KEK = KeyName(KeyPurpose.KEK, 2)
FRONT_CALLS = [field.name for field in KeeperCall.DESCRIPTOR.oneofs_by_name["call"].fields]


@pytest.fixture
def operator(desk: Desk) -> OperatorDesk:
    Person(desk).enroll()
    assert isinstance(desk.token, FakeToken)
    desk.token.make_key(NEXT_KEK)
    return OperatorDesk(desk)


def payload(frame: bytes) -> bytes:
    [only] = FrameReader().feed(frame)
    return only


def front(operator: OperatorDesk) -> MessageVisit[KeeperCall, KeeperReply]:
    visit = front_visit(operator.desk.handler.handle, beat=lambda: None, log=SilentLog())
    opening = KeeperCall()
    opening.open_vault.version = operator.desk.vault_version
    opening.open_vault.sealed = operator.desk.vault_sealed
    assert KeeperReply.FromString(payload(visit.answer(opening.SerializeToString()))).HasField("open_vault")
    return visit


def operators(operator: OperatorDesk) -> MessageVisit[OperatorCall, OperatorReply]:
    visit = operator_visit(operator.handler.handle, beat=lambda: None, log=SilentLog())
    opening = OperatorCall()
    opening.open_vault.version = operator.desk.vault_version
    opening.open_vault.sealed = operator.desk.vault_sealed
    assert OperatorReply.FromString(payload(visit.answer(opening.SerializeToString()))).HasField("vault_standing")
    return visit


def filled(call: Message, name: str, operator: OperatorDesk) -> bytes:
    """A call with what it could mean by the right door."""
    asked = getattr(call, name)
    asked.SetInParent()
    row = operator.rows()[0]
    if name in {"open_records", "checkpoint_rows"}:
        asked.rows.append(row)
    elif name in {"export_record", "sweep", "accept_older", "rewrap"}:
        asked.row.CopyFrom(row)
    elif name == "change_key":
        asked.purpose, asked.epoch = record_pb2.KEY_PURPOSE_KEK, NEXT_KEK.epoch
        asked.change = operator_pb2.KEY_CHANGE_PREPARE
    elif name == "open_events":
        asked.record_id = row.record_id
        asked.events.extend(operator.events(row.record_id))
    return call.SerializeToString()


@pytest.mark.parametrize("name", OPERATOR_CALLS)
def test_operators_call_by_the_fronts_door_is_none(operator: OperatorDesk, name: str) -> None:
    asked = filled(OperatorCall(call_id=5), name, operator)
    right = OperatorReply.FromString(payload(operators(operator).answer(asked)))
    wrong = KeeperReply.FromString(payload(front(operator).answer(asked)))
    if name not in {"open_vault", "export_events"}:
        assert not right.HasField("fault"), right  # control: it is a good call by its own door
    assert (wrong.call_id, wrong.fault.kind) == (5, "Misconfigured")


@pytest.mark.parametrize("name", FRONT_CALLS)
def test_fronts_call_by_the_operators_door_is_none(operator: OperatorDesk, name: str) -> None:
    asked = filled(KeeperCall(call_id=6), name, operator)
    wrong = OperatorReply.FromString(payload(operators(operator).answer(asked)))
    assert (wrong.call_id, wrong.fault.kind) == (6, "Misconfigured")


def test_no_field_of_one_call_is_one_of_the_others() -> None:
    fronts = {field.number for field in KeeperCall.DESCRIPTOR.fields if field.name != "call_id"}
    assert not fronts & {field.number for field in OperatorCall.DESCRIPTOR.fields if field.name != "call_id"}


def test_nothing_is_opened_for_an_operator_before_the_vault(operator: OperatorDesk) -> None:
    visit = operator_visit(operator.handler.handle, beat=lambda: None, log=SilentLog())
    for name in OPERATOR_CALLS[1:]:
        reply = OperatorReply.FromString(payload(visit.answer(filled(OperatorCall(call_id=7), name, operator))))
        assert (reply.call_id, reply.fault.kind) == (7, "INTERNAL")


def test_payload_that_is_no_message_is_not_answered(operator: OperatorDesk) -> None:
    for visit in (front(operator), operators(operator)):
        with pytest.raises(DecodeError):
            visit.answer(b"\xff" * 20)


def test_bug_while_answering_is_told_by_its_type_alone(operator: OperatorDesk) -> None:
    def broken(_: OperatorCall) -> OperatorReply:
        raise ValueError("the secret is 12345")

    log = SilentLog()
    visit = operator_visit(broken, beat=lambda: None, log=log)
    opening = OperatorCall(call_id=8)
    opening.open_vault.SetInParent()
    reply = OperatorReply.FromString(payload(visit.answer(opening.SerializeToString())))
    assert (reply.call_id, reply.fault.kind, reply.fault.detail) == (8, "INTERNAL", "ValueError")
    assert "12345" not in str(log.lines)
