"""Whatever a front sends, the keeper gives one of its own answers: nothing escapes, and nothing is released."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2
from tests.fakes.desk import Desk
from tests.fakes.message_fields import BYTES, NUMBERS, TEXT, Leaf, leaves
from tests.fakes.person import Ceremony, Person, open_release
from tests.fuzz import honest

FAULTS = {"RecordRejected", "Misconfigured"}


def spoil(leaf: Leaf, choice: random.Random) -> None:
    """Change one field, to something near what it was or to anything."""
    message, descriptor = leaf
    if descriptor.is_repeated:
        message.ClearField(descriptor.name)
    elif descriptor.type == BYTES:
        setattr(message, descriptor.name, spoilt_bytes(getattr(message, descriptor.name), choice))
    elif descriptor.type == TEXT:
        setattr(
            message, descriptor.name, "".join(chr(choice.randrange(1, 0xD800)) for _ in range(choice.randrange(40)))
        )
    elif descriptor.type in NUMBERS:
        bits = NUMBERS[descriptor.type]
        near = getattr(message, descriptor.name) + choice.choice((-1, 1, 2))
        setattr(message, descriptor.name, choice.choice((near % 2**bits, choice.getrandbits(bits), 0)))
    else:
        setattr(message, descriptor.name, choice.choice((0, 1, 2, 3, 4, 99)))


def spoilt_bytes(content: bytes, choice: random.Random) -> bytes:
    position = choice.randrange(len(content) + 1)
    match choice.randrange(6):
        case 0:
            return content[:position]
        case 1:
            return content[:position] + choice.randbytes(1 + choice.randrange(4)) + content[position:]
        case 2:
            return content[:position] + choice.randbytes(1) + content[position + 1 :]
        case 3:
            return choice.randbytes(choice.randrange(200))
        case 4:
            return choice.randbytes(len(content))
        case _:
            return content + content


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Person:
    person = Person(Desk(Path(tmp_path_factory.mktemp("desk"))))
    person.enroll()
    person.release()
    return person


@pytest.fixture(scope="module")
def granted(alice: Person) -> Ceremony:
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    return ceremony


@pytest.fixture(scope="module")
def good_calls(alice: Person, granted: Ceremony) -> list[frames_pb2.KeeperCall]:
    """One of each kind; nothing is committed, so all of them stay good."""
    desk, token, row, nonce = alice.desk, alice.desk.account_token("alice"), alice.desk.row("alice"), os.urandom(32)
    request = ceremony_pb2.CeremonyRequest.FromString(granted.statement.request).SerializeToString()
    store, release, bob = alice.begin_store(), alice.begin_release(), Person(desk, "bob")
    events = desk.store.events[desk.record_id("alice")]
    recipe = {
        "open_vault": frames_pb2.OpenVaultCall(version=desk.vault_version + 1, sealed=desk.vault_sealed),
        "describe_service": frames_pb2.DescribeServiceCall(account_token=token, nonce=nonce),
        "describe_record": frames_pb2.DescribeRecordCall(account_token=token, nonce=nonce, row=row),
        "begin": frames_pb2.BeginCall(account_token=token, request=request, row=row),
        "fulfil": frames_pb2.FulfilCall(
            account_token=token, row=row, ceremony=granted.ceremony, operation=frames_pb2.OPERATION_RELEASE
        ),
        "list_events": frames_pb2.ListEventsCall(
            account_token=token,
            nonce=nonce,
            row=row,
            page_token=desk.list_events("alice", events=events[:1]).next_page_token,
            events=events[1:],
        ),
    }
    made = [frames_pb2.KeeperCall(**{name: call}) for name, call in recipe.items()]  # type: ignore[arg-type]  # as named
    judged = (
        alice.judge_call(store, envelope=b"an envelope"),
        alice.judge_call(release),
        alice.recovery_call(release),
        bob.judge_call(bob.begin_registration()),
    )
    return [*made, *(frames_pb2.KeeperCall(judge=call) for call in judged)]


@seed(20_260_101)
@settings(max_examples=2_000)
@given(which=st.integers(0, 9), entropy=st.integers(0, 2**32))
def test_spoilt_call_gets_a_clean_answer(
    alice: Person, granted: Ceremony, good_calls: list[frames_pb2.KeeperCall], which: int, entropy: int
) -> None:
    choice = random.Random(entropy)
    call = frames_pb2.KeeperCall()
    call.CopyFrom(good_calls[which])
    for _ in range(choice.randrange(1, 4)):
        found = leaves(call)
        if found:
            spoil(choice.choice(found), choice)
    reply = alice.desk.handler.handle(call)
    match reply.WhichOneof("reply"):
        case "fault":
            assert reply.fault.kind in FAULTS
        case "refusal":
            assert reply.refusal.reason
        case "signed" if call.HasField("fulfil"):
            assert len(open_release(granted, reply.signed)) == 1, "sealed to the recipient that was signed for"
        case answered:
            assert answered in {"open_vault", "begin", "judge", "signed", "stale"}
    assert not alice.desk.handler.spent


@seed(20_260_102)
@settings(max_examples=1_000)
@given(entropy=st.integers(0, 2**32))
def test_spoilt_call_of_any_kind_gets_a_clean_answer(entropy: int) -> None:
    """As above, with every call and operation that there is, by accounts in all states."""
    choice, desk = random.Random(entropy), honest.alice().desk
    call = frames_pb2.KeeperCall()
    call.CopyFrom(choice.choice(honest.keeper_calls()))
    for _ in range(choice.randrange(1, 4)):
        found = leaves(call)
        if found:
            spoil(choice.choice(found), choice)
    reply = desk.handler.handle(call)
    if reply.HasField("fault"):
        assert reply.fault.kind in FAULTS
    else:
        assert reply.WhichOneof("reply") in {"open_vault", "probe", "begin", "judge", "signed", "refusal", "stale"}
    assert not desk.handler.spent


@pytest.mark.parametrize("which", range(1, 10))
def test_call_that_is_not_spoilt_is_answered(
    alice: Person, good_calls: list[frames_pb2.KeeperCall], which: int
) -> None:
    """Control: the calls are good ones until they are spoilt."""
    reply = alice.desk.handler.handle(good_calls[which])
    assert reply.WhichOneof("reply") in {"begin", "judge", "signed"}
    assert not reply.judge.commit.HasField("refusal")
