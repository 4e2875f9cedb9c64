from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import RecordRejected, TokenFault
from strongroom_service.keeper.condition import Condition
from strongroom_service.keeper.token.measured_token import MeasuredToken
from strongroom_service.link.condition import KeeperCondition
from strongroom_service.telemetry.keeper_metrics import TokenOperation, TokenResult
from tests.fakes.metrics import make_metrics
from tests.fakes.token import FakeToken


def test_what_the_token_did_is_told_once_and_arrives_in_the_metrics() -> None:
    fake = FakeToken()
    token, metrics = MeasuredToken(fake), make_metrics()
    wrapped = token.wrap(epoch=1, plaintext=b"secret", aad=b"bound")
    assert token.unwrap(epoch=1, wrapped=wrapped, aad=b"bound") == b"secret"
    with pytest.raises(RecordRejected):
        token.unwrap(epoch=1, wrapped=replace(wrapped, iv=bytes(12)), aad=b"bound")
    fake.lose()
    with pytest.raises(TokenFault):
        token.probe()

    condition = Condition(
        memory_locked=True, clock_beyond=Millis(0), clock_trusted=True, token_operations=token.take_counts()
    )
    read = KeeperCondition.read(frames_pb2.ProbeReply.FromString(condition.reply(None).SerializeToString()))
    metrics.keepers.count_operations(read.token_operations)
    told = {(each.operation, each.result): each.count for each in read.token_operations}
    assert told == {
        (TokenOperation.WRAP, TokenResult.OK): 1,
        (TokenOperation.UNWRAP, TokenResult.OK): 1,
        (TokenOperation.UNWRAP, TokenResult.REJECTED): 1,
        (TokenOperation.PROBE, TokenResult.FAULT): 1,
    }
    labels = {"operation": "unwrap", "result": "rejected"}
    assert metrics.registry.get_sample_value("strongroom_token_operations_total", labels) == 1
    assert token.take_counts() == ()


def test_names_that_the_front_does_not_know_are_left_out() -> None:
    reply = frames_pb2.ProbeReply(
        token_operations=[frames_pb2.TokenOperationCount(operation="alice", result="ok", count=1)],
        epochs=[frames_pb2.EpochInUse(purpose="bob", epoch=1)],
    )
    read = KeeperCondition.read(reply)
    assert (read.token_operations, read.epochs) == ((), ())
