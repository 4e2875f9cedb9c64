from __future__ import annotations

import pytest

from strongroom_service.application.keepers import Caller, StaleRecord
from strongroom_service.domain.errors import KeeperUnavailable, Reason, RecordRejected, Refusal
from strongroom_service.front.measured_keeper import MeasuredKeeper
from strongroom_service.telemetry.metrics import Metrics
from tests.fakes.keeper import FakeKeeper

CALLER = Caller(account_token="token", request_id="request")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (Refusal(Reason.NO_VAULT), "refused"),
        (StaleRecord(newest_version=1), "stale"),
        (KeeperUnavailable("died"), "unavailable"),
        (RecordRejected("went back"), "fault"),
        (ValueError("a bug"), "unavailable"),
    ],
)
async def test_call_is_counted_with_its_result_and_answered_as_it_is(error: Exception | None, result: str) -> None:
    metrics, keeper = Metrics(version="0", rpc_methods=()), FakeKeeper()
    measured = MeasuredKeeper(keeper, metrics=metrics)
    keeper.raises = error
    if error is None:
        assert (await measured.begin(CALLER, request=b"asked", row=None)).ceremony == b"ceremony"
    else:
        with pytest.raises(type(error)):
            await measured.begin(CALLER, request=b"asked", row=None)
    labels = {"call": "begin", "result": result}
    assert metrics.registry.get_sample_value("strongroom_keeper_calls_total", labels) == 1
    assert metrics.registry.get_sample_value("strongroom_keeper_call_seconds_count", {"call": "begin"}) == 1
