from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.descriptions import describe_event
from strongroom_client.errors import BundleInvalid, ReplyMismatch, StatementMismatch
from strongroom_client.timestamps import millis_of
from strongroom_client.verification.bundles import verify_bundle
from strongroom_client.verification.statements import check_ceremony
from tests.fuzz.client_targets import EXPECTED, KEYS, TRUST, bundles, statement_seeds

NO_TIME = Timestamp(nanos=-1)


def test_time_is_in_milliseconds() -> None:
    assert millis_of(Timestamp(seconds=2, nanos=3_999_999), otherwise=ReplyMismatch) == 2_003


@pytest.mark.parametrize("no_time", [NO_TIME, Timestamp(nanos=10**9), Timestamp(seconds=2**62)])
def test_number_that_is_no_time_is_refused(no_time: Timestamp) -> None:
    with pytest.raises(ReplyMismatch):
        millis_of(no_time, otherwise=ReplyMismatch)
    with pytest.raises(ReplyMismatch):
        describe_event(event_pb2.Event(event_time=no_time))


def test_statement_that_expires_at_no_time_is_refused() -> None:
    statement = ceremony_pb2.Statement.FromString(statement_seeds()[0][:-32])
    statement.expire_time.CopyFrom(NO_TIME)
    with pytest.raises(StatementMismatch):
        check_ceremony(statement.SerializeToString() + bytes(32), expected=EXPECTED)


@pytest.mark.parametrize("name", ["not_before_time", "not_after_time"])
def test_bundle_of_no_time_is_refused(name: str) -> None:
    bundle = resources_pb2.KeyBundle.FromString(bundles()[0])
    getattr(bundle, name).CopyFrom(NO_TIME)
    with pytest.raises(BundleInvalid):
        verify_bundle(KEYS.sign_bundle(bundle), trust=TRUST, seen={}, now=Millis(EXPECTED.now))
