"""A front taken over: whatever it sends to a real keeper's socket, the keeper stays and serves the honest one."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.link.frames import MAX_FRAME_BYTES, encode_frame
from tests.fakes.passkey import Forgery
from tests.fakes.stepped_vault import SteppedVault, keepers_of
from tests.integration.faults.clients import ChroniclingClient
from tests.integration.link.support import RawClient

PROBE = frames_pb2.KeeperCall(call_id=9, probe=frames_pb2.ProbeCall())


@pytest.fixture
def client(vault: SteppedVault) -> Iterator[ChroniclingClient]:
    """An honest one, enrolled; after the test it is served by the keepers that were there before."""
    before = keepers_of(vault)
    with ChroniclingClient(vault) as client:
        client.enroll()
        yield client
        assert client.release() == [b"an envelope"]
    assert keepers_of(vault) == before


@pytest.fixture
def hostile(vault: SteppedVault, client: ChroniclingClient) -> Iterator[RawClient]:
    """A connection of our own to the first keeper; the kernel takes us for the front, whose user we are."""
    raw = RawClient(socket_of(vault))
    yield raw
    raw.close()
    with closing(RawClient(socket_of(vault))) as after:
        assert ask(after, open_vault_call(vault)).HasField("open_vault")
        assert ask(after, PROBE).HasField("probe")


def socket_of(vault: SteppedVault) -> Path:
    return vault.files.folder / "run" / "keeper-0.sock"


def query(vault: SteppedVault, statement: str) -> tuple[bytes, int, bytes]:
    with closing(sqlite3.connect(f"file:{vault.files.folder / 'data' / 'vault.db'}?mode=ro", uri=True)) as connection:
        row: tuple[bytes, int, bytes] = connection.execute(statement).fetchone()
        return row


def open_vault_call(vault: SteppedVault) -> frames_pb2.KeeperCall:
    _, version, sealed = query(vault, "SELECT id, version, sealed FROM vault")
    return frames_pb2.KeeperCall(call_id=1, open_vault=frames_pb2.OpenVaultCall(version=version, sealed=sealed))


def row_of(vault: SteppedVault) -> frames_pb2.Row:
    """The record that was changed last: the client's."""
    record_id, version, sealed = query(
        vault,
        "SELECT record_id, version, sealed FROM records"
        " WHERE record_id = (SELECT record_id FROM events ORDER BY at DESC LIMIT 1)",
    )
    return frames_pb2.Row(record_id=record_id, version=version, sealed=sealed)


def ask(raw: RawClient, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
    reply = raw.ask(call)
    assert reply is not None
    assert reply.call_id == call.call_id
    return reply


def token_of(client: ChroniclingClient) -> str:
    return client.metadata[0][1].removeprefix("Bearer ")


def calls(client: ChroniclingClient, row: frames_pb2.Row | None) -> list[frames_pb2.KeeperCall]:
    """One of each kind, with the client's own token and a fresh ceremony."""
    token, begun = token_of(client), client.begin_release()
    judge = frames_pb2.JudgeCall(
        account_token=token,
        row=row,
        ceremony=begun.ceremony,
        operation=frames_pb2.OPERATION_RELEASE,
        assertion=client.assertion(begun, Forgery(unsigned=True)),
    )
    fulfil = frames_pb2.FulfilCall(
        account_token=token, row=row, ceremony=begun.ceremony, operation=frames_pb2.OPERATION_RELEASE
    )
    describe = frames_pb2.DescribeRecordCall(account_token=token, nonce=os.urandom(32), row=row)
    listing = frames_pb2.ListEventsCall(account_token=token, nonce=os.urandom(32), row=row)
    return [
        PROBE,
        frames_pb2.KeeperCall(call_id=2, judge=judge),
        frames_pb2.KeeperCall(call_id=3, fulfil=fulfil),
        frames_pb2.KeeperCall(call_id=4, describe_record=describe),
        frames_pb2.KeeperCall(call_id=5, list_events=listing),
        frames_pb2.KeeperCall(call_id=6, begin=frames_pb2.BeginCall(account_token=token, request=b"", row=row)),
    ]


def test_nothing_is_answered_before_the_vault_is_open(
    vault: SteppedVault, client: ChroniclingClient, hostile: RawClient
) -> None:
    for call in calls(client, row_of(vault)):
        assert ask(hostile, call).fault.detail == "the vault is not open on this connection"


@pytest.mark.parametrize("sealed", [b"", b"x", bytes(2_000)])
def test_forged_vault_row_opens_nothing(vault: SteppedVault, hostile: RawClient, sealed: bytes) -> None:
    forged = open_vault_call(vault)
    forged.open_vault.version += 1
    forged.open_vault.sealed = sealed
    assert ask(hostile, forged).fault.kind == "RecordRejected"
    assert ask(hostile, PROBE).HasField("fault")


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack(">I", 0),
        struct.pack(">IB", MAX_FRAME_BYTES + 1, 1),
        struct.pack(">IB", 0xFFFFFFFF, 1),
        struct.pack(">IB", 10, 0) + bytes(9),
        struct.pack(">IB", 10, 2) + bytes(9),
        encode_frame(b"\xff" * 32),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_frame_that_is_none_ends_its_connection(vault: SteppedVault, hostile: RawClient, garbage: bytes) -> None:
    assert ask(hostile, open_vault_call(vault)).HasField("open_vault")
    hostile.socket.sendall(garbage)
    assert hostile.receive() is None


def test_half_a_frame_holds_nobody_up(vault: SteppedVault, client: ChroniclingClient, hostile: RawClient) -> None:
    hostile.socket.sendall(struct.pack(">IB", 1_000, 1) + bytes(10))
    assert client.release() == [b"an envelope"]


def test_forged_row_token_or_age_is_refused_and_nothing_is_released(
    vault: SteppedVault, client: ChroniclingClient, hostile: RawClient
) -> None:
    assert ask(hostile, open_vault_call(vault)).HasField("open_vault")
    older = row_of(vault)
    # Both keepers must have seen the newer row: this one is told of it here, as an honest front would.
    client.release()
    newer = row_of(vault)
    assert (older.record_id, older.version + 1) == (newer.record_id, newer.version)
    _, judge, fulfil, describe, *_ = calls(client, newer)
    assert ask(hostile, describe).HasField("signed")
    describe.describe_record.row.CopyFrom(older)
    assert ask(hostile, describe).stale.newest_version == newer.version

    altered = frames_pb2.Row(record_id=newer.record_id, version=newer.version + 1, sealed=newer.sealed)
    describe.describe_record.row.CopyFrom(altered)
    assert ask(hostile, describe).fault.kind == "RecordRejected"

    describe.describe_record.account_token += "x"
    assert ask(hostile, describe).refusal.reason == "TOKEN_REJECTED"

    order = ask(hostile, judge).judge.commit
    assert order.refusal.reason == "NOT_VERIFIED"
    assert ask(hostile, fulfil).refusal.reason == "BEGIN_AGAIN"


def test_thousand_mutated_calls_leave_the_keeper_standing(
    vault: SteppedVault, client: ChroniclingClient, hostile: RawClient
) -> None:
    chance = Random(7)
    honest = [call.SerializeToString() for call in calls(client, row_of(vault))]
    opening = open_vault_call(vault)
    raw: RawClient | None = None
    answered = ended = 0
    for _ in range(1_000):
        if raw is None:
            raw = RawClient(socket_of(vault))
            assert ask(raw, opening).HasField("open_vault")
        raw.socket.sendall(encode_frame(mutate(chance.choice(honest), chance)))
        reply = raw.receive()
        if reply is None:
            raw.close()
            raw = None
            ended += 1
        else:
            # A call that no bit of importance was changed in may be answered; a grant it cannot be.
            assert not reply.HasField("judge") or reply.judge.commit.HasField("refusal")
            answered += 1
    if raw is not None:
        raw.close()
    assert answered > 100 and ended > 100  # noqa: PT018  both kinds were tried


def test_crowd_of_hostile_connections_does_not_push_the_front_out(
    vault: SteppedVault, client: ChroniclingClient, hostile: RawClient
) -> None:
    crowd = [RawClient(socket_of(vault)) for _ in range(40)]
    assert [client.release() for _ in range(5)] == [[b"an envelope"]] * 5
    for raw in crowd:
        raw.close()


def mutate(message: bytes, chance: Random) -> bytes:
    mutated = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        match chance.randrange(3):
            case 0:
                mutated[chance.randrange(len(mutated))] ^= 1 << chance.randrange(8)
            case 1:
                del mutated[chance.randrange(len(mutated)) :]
                mutated += bytes(not mutated)
            case _:
                at = chance.randrange(len(mutated))
                mutated[at:at] = chance.randbytes(chance.randint(1, 40))
    return bytes(mutated)
