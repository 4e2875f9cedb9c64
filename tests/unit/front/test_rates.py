from __future__ import annotations

from collections.abc import Sequence

import grpc
import grpc.aio
import pytest

from strongroom_service.domain.errors import Misconfigured, RatesUnavailable, Reason, Refusal
from strongroom_service.domain.identifiers import RecordId
from strongroom_service.domain.rates import RateScope, RpcClass, Window
from strongroom_service.front.guard import RPC_METHODS
from strongroom_service.front.rates import RPC_CLASSES, Full, Rates
from strongroom_service.front.server import LimitedServer
from strongroom_service.telemetry.metrics import Metrics, RpcMethod
from tests.fakes.log import RecordingLog
from tests.fakes.metrics import make_metrics
from tests.fakes.rates import ROOMY, FakeRateStore, FakeSeconds, make_rates

ALICE, BOB = RecordId(b"a" * 32), RecordId(b"b" * 32)
PEER = "192.0.2.7"
ONCE = Window(count=1, seconds=60)
READS = [method for method in RPC_METHODS if RPC_CLASSES[method] is RpcClass.READ]
OTHERS = [method for method in RPC_METHODS if RPC_CLASSES[method] is not RpcClass.READ]


def rpc(method: str) -> RpcMethod:
    return RpcMethod("strongroom.v1.VaultService", method)


def name_of(method: RpcMethod) -> str:
    return method.method


def store() -> FakeRateStore:
    return FakeRateStore(FakeSeconds())


@pytest.mark.parametrize(
    "stranger",
    [RpcMethod("strongroom.v1.VaultService", "NewRpc"), RpcMethod("strongroom.v1.OtherService", "GetVault")],
    ids=name_of,
)
def test_rpc_without_a_class_is_an_error_at_start(stranger: RpcMethod) -> None:
    windows = {scope: dict.fromkeys(RpcClass, (ROOMY,)) for scope in RateScope}
    stores = dict.fromkeys(RateScope, store())
    with pytest.raises(Misconfigured, match=f"no rate class for {stranger.service}/{stranger.method}"):
        Rates(
            methods=[*RPC_METHODS, stranger],
            windows=windows,
            stores=stores,
            clock=FakeSeconds(),
            metrics=make_metrics(),
            log=RecordingLog(),
        )


async def test_service_without_classes_is_not_registered() -> None:
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    server = LimitedServer(grpc.aio.server())
    with pytest.raises(Misconfigured, match=r"no rate class for strongroom\.v1\.OtherService/GetVault"):
        server.add_registered_method_handlers("strongroom.v1.OtherService", {"GetVault": handler})


def test_every_completion_of_a_ceremony_counts_as_one() -> None:
    completions = {rpc.method for rpc, rpc_class in RPC_CLASSES.items() if rpc_class is RpcClass.COMPLETE}
    names = (
        "CompleteRegistration StoreEnvelope ReleaseEnvelope DeleteVault AddCredential RemoveCredential SetRecovery"
        " Reopen LiftQuarantine SetPolicy ResetVault EraseAccount CancelEraseAccount"
    )
    assert completions == set(names.split())


async def test_calls_of_one_class_count_together_and_others_apart() -> None:
    rates = make_rates(account=ONCE)
    await rates.check_caller(rpc("StoreEnvelope"), tenant="notes", record_id=ALICE)
    with pytest.raises(Refusal):
        await rates.check_caller(rpc("ReleaseEnvelope"), tenant="notes", record_id=ALICE)
    await rates.check_caller(rpc("BeginCeremony"), tenant="notes", record_id=ALICE)
    await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=ALICE)


async def test_refusal_says_how_long_to_wait_and_names_nobody() -> None:
    metrics, counting = Metrics(version="0", rpc_methods=RPC_METHODS), store()
    rates = make_rates(counting, metrics=metrics, peer=ONCE)
    await rates.check_peer(rpc("GetVault"), PEER)
    counting.clock.advance(20)
    with pytest.raises(Refusal) as refused:
        await rates.check_peer(rpc("GetVault"), PEER)
    assert (refused.value.reason, refused.value.retry_after_ms) == (Reason.RATE_LIMITED, 40_001)
    assert refused.value.detail == "peer: read, 1 in 60 s"
    counted = {
        scope: metrics.registry.get_sample_value("strongroom_requests_limited_total", {"scope": scope})
        for scope in ("peer", "tenant", "account")
    }
    assert counted == {"peer": 1, "tenant": 0, "account": 0}


async def test_wait_is_told_as_more_than_nothing_at_the_very_edge() -> None:
    counting = store()
    rates = make_rates(counting, peer=ONCE)
    await rates.check_peer(rpc("GetVault"), PEER)
    counting.clock.advance(60)
    with pytest.raises(Refusal) as refused:
        await rates.check_peer(rpc("GetVault"), PEER)
    assert refused.value.retry_after_ms == 1


async def test_store_is_not_asked_again_while_a_window_is_known_to_be_full() -> None:
    asked = 0

    class Asked(FakeRateStore):
        async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
            nonlocal asked
            asked += 1
            return await super().take(key, windows)

    counting = Asked(FakeSeconds())
    rates = make_rates(counting, peer=ONCE)
    await rates.check_peer(rpc("GetVault"), PEER)
    for _ in range(50):
        with pytest.raises(Refusal):
            await rates.check_peer(rpc("GetVault"), PEER)
        counting.clock.advance(1)
    with pytest.raises(Refusal) as refused:
        await rates.check_peer(rpc("GetVault"), PEER)
    assert (asked, refused.value.retry_after_ms) == (2, 10_001)
    await rates.check_peer(rpc("GetVault"), "192.0.2.8")
    await rates.check_peer(rpc("BeginCeremony"), PEER)
    counting.clock.advance(10.5)
    await rates.check_peer(rpc("GetVault"), PEER)


async def test_new_windows_hold_at_once_for_who_was_above_the_old_ones() -> None:
    rates = make_rates(peer=ONCE)
    await rates.check_peer(rpc("GetVault"), PEER)
    with pytest.raises(Refusal):
        await rates.check_peer(rpc("GetVault"), PEER)
    wider = Window(count=2, seconds=60)
    rates.replace_windows({scope: dict.fromkeys(RpcClass, (wider,)) for scope in RateScope})
    await rates.check_peer(rpc("GetVault"), PEER)
    with pytest.raises(Refusal):
        await rates.check_peer(rpc("GetVault"), PEER)


async def test_account_that_is_refused_uses_up_nothing_of_its_tenant() -> None:
    rates = make_rates(account=ONCE, tenant=Window(count=2, seconds=60))
    await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=ALICE)
    for _ in range(10):
        with pytest.raises(Refusal) as refused:
            await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=ALICE)
        assert refused.value.detail.startswith("account:")
    await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=BOB)


async def test_tenant_that_is_full_leaves_room_for_another() -> None:
    rates = make_rates(tenant=ONCE)
    await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=ALICE)
    with pytest.raises(Refusal):
        await rates.check_caller(rpc("GetVault"), tenant="notes", record_id=BOB)
    await rates.check_caller(rpc("GetVault"), tenant="photos", record_id=RecordId(b"c" * 32))


async def test_accounts_are_counted_by_record_id() -> None:
    counting = store()
    await make_rates(counting).check_caller(rpc("ReleaseEnvelope"), tenant="notes", record_id=ALICE)
    assert counting.keys == [f"account:complete:{ALICE.hex()}", "tenant:complete:notes"]


@pytest.mark.parametrize("method", OTHERS, ids=name_of)
async def test_ceremonies_are_refused_while_nobody_can_count(method: RpcMethod) -> None:
    counting = store()
    counting.down = True
    rates = make_rates(counting)
    with pytest.raises(RatesUnavailable):
        await rates.check_peer(method, PEER)
    with pytest.raises(RatesUnavailable):
        await rates.check_caller(method, tenant="notes", record_id=ALICE)
    with pytest.raises(RatesUnavailable):
        await rates.check_tenant(method, tenant="notes")


@pytest.mark.parametrize("method", READS, ids=name_of)
async def test_reads_pass_while_nobody_can_count_and_the_log_says_so(method: RpcMethod) -> None:
    counting, log = store(), RecordingLog()
    counting.down = True
    rates = make_rates(counting, log=log)
    await rates.check_peer(method, PEER)
    await rates.check_caller(method, tenant="notes", record_id=ALICE)
    assert [(event, fields["scope"]) for event, fields in log.lines] == [
        ("rates_unavailable", "peer"),
        ("rates_unavailable", "account"),
        ("rates_unavailable", "tenant"),
    ]
    assert ALICE.hex() not in str(log.lines)
    assert "192.0.2.7" not in str(log.lines)
