from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from strongroom.v1 import tenant_service_pb2 as pb
from strongroom_service.application.attempt import Attempts
from strongroom_service.application.keepers import Completion, TenantCaller
from strongroom_service.application.rows import Change
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.domain.rates import Window
from strongroom_service.front.caller import TenantAdmission
from strongroom_service.front.guard import RPC_METHODS, Guard
from strongroom_service.front.tenant_servicer import TenantServicer
from strongroom_service.telemetry.metrics import Metrics
from strongroom_service.tokens.tenant_tokens import TenantTokenVerifier
from tests.fakes.clock import FakeClock
from tests.fakes.grpc_context import Aborted, FakeContext
from tests.fakes.keeper import RECEIPT, FakeKeeper
from tests.fakes.log import RecordingLog
from tests.fakes.rates import ROOMY, make_rates
from tests.fakes.store import FakeStore
from tests.fakes.tenant import AUDIENCE, FakeTenant

ID_KEY = b"k" * 32
NONCE = b"N" * 32
CLOCK = FakeClock()
TENANT = FakeTenant()
HEADER = {"alg": "ES256", "kid": "ec", "typ": "strongroom-tenant+jwt"}


def token(scope: str = "feed erase") -> str:
    claims = {**TENANT.claims(now=CLOCK.now()), "scope": scope}
    del claims["sub"]
    return TENANT.sign(HEADER, claims)


class Bench:
    """A tenant's servicer over a keeper and a store that write down what they are asked."""

    def __init__(self, *, tenant: Window = ROOMY) -> None:
        self.keeper, self.store = FakeKeeper(), FakeStore()
        self.noted: list[tuple[Operation, Outcome]] = []
        rates = make_rates(tenant=tenant)
        log, metrics = RecordingLog(), Metrics(version="0", rpc_methods=RPC_METHODS)
        verifier = TenantTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE)
        self.servicer = TenantServicer(
            guard=Guard(rates=rates, metrics=metrics, log=log, max_deadline_seconds=10, max_concurrent_calls=4),
            admission=TenantAdmission(verifier=verifier, id_key=lambda: ID_KEY, clock=CLOCK),
            rates=rates,
            keeper=self.keeper,
            feed=self.store,
            attempts=Attempts(keeper=self.keeper, store=self.store, note=lambda *noted: self.noted.append(noted)),
        )

    async def ask(self, method: str, request: object, *, bearer: str | None = None) -> Any:  # noqa: ANN401  any response
        """Call the RPC; with a good token, unless another is given."""
        context = FakeContext(metadata=(("authorization", f"Bearer {token() if bearer is None else bearer}"),))
        call = cast("Callable[..., Awaitable[object]]", getattr(self.servicer, method))
        return await call(request, cast("grpc.aio.ServicerContext[Any, Any]", context))

    async def refused(self, method: str, request: object, *, bearer: str | None = None) -> grpc.StatusCode:
        """The status of a call that asks keeper and store nothing."""
        context = FakeContext(metadata=(("authorization", f"Bearer {token() if bearer is None else bearer}"),))
        call = cast("Callable[..., Awaitable[object]]", getattr(self.servicer, method))
        with pytest.raises(Aborted):
            await call(request, cast("grpc.aio.ServicerContext[Any, Any]", context))
        assert self.keeper.asked == []
        return context.code


@pytest.fixture
def bench() -> Bench:
    return Bench()


ORDERS = [
    ("EraseAccount", pb.EraseAccountRequest, Operation.ERASE_ACCOUNT),
    ("CancelEraseAccount", pb.CancelEraseAccountRequest, Operation.CANCEL_ERASE_ACCOUNT),
]


@pytest.mark.parametrize(("method", "kind", "operation"), ORDERS)
async def test_order_is_judged_committed_and_fulfilled_for_the_account_named(
    bench: Bench, method: str, kind: type[pb.EraseAccountRequest], operation: Operation
) -> None:
    response = await bench.ask(method, kind(nonce=NONCE, account="alice"))
    assert (response.reply, response.receipt.signature) == (b"fulfilled", RECEIPT.signature)
    assert bench.keeper.journal == ["judge", "fulfil"]
    for asked in bench.keeper.asked:
        caller, completion = asked["caller"], asked["completion"]
        assert isinstance(caller, TenantCaller)
        assert (caller.account, caller.tenant_token.count(".")) == ("alice", 2)
        assert completion == Completion(operation=operation, nonce=NONCE)
    assert bench.noted == [(operation, Outcome.GRANTED)]


async def test_row_that_is_presented_is_that_account_of_that_tenant(bench: Bench) -> None:
    own = record_id_of(id_key=ID_KEY, tenant="notes", account="alice")
    await bench.store.commit(Change(record_id=own, version=1, at=1, sealed_record=b"alice's", sealed_event=b"e"))
    bench.keeper.already_granted = True
    await bench.ask("EraseAccount", pb.EraseAccountRequest(nonce=NONCE, account="alice"))
    row = bench.keeper.asked[0]["row"]
    assert row == bench.store.records[own]


async def test_feed_is_asked_for_with_the_events_after_the_cursor(bench: Bench) -> None:
    for number in (1, 2):
        await bench.store.commit(
            Change(record_id=bytes([number]) * 32, version=1, at=1, sealed_record=b"r", sealed_event=b"e")
        )
    at = (1).to_bytes(8, "big") + bytes(32)
    response = await bench.ask("ListTenantEvents", pb.ListTenantEventsRequest(nonce=NONCE, cursor=at))
    assert response.reply == b"feed"
    (asked,) = bench.keeper.asked
    events = asked["events"]
    assert isinstance(events, tuple)
    assert [event.position for event in events] == [2]
    assert (asked["nonce"], asked["cursor"], asked["more"]) == (NONCE, at, False)


FEED = ("ListTenantEvents", pb.ListTenantEventsRequest(nonce=NONCE))
ERASE = ("EraseAccount", pb.EraseAccountRequest(nonce=NONCE, account="alice"))
CANCEL = ("CancelEraseAccount", pb.CancelEraseAccountRequest(nonce=NONCE, account="alice"))


@pytest.mark.parametrize(("method", "request_"), [FEED, ERASE, CANCEL], ids=lambda each: str(each)[:20])
async def test_account_token_and_no_token_ask_nothing(bench: Bench, method: str, request_: object) -> None:
    for bearer in ("", "x.y.z", TENANT.token(now=CLOCK.now())):
        assert await bench.refused(method, request_, bearer=bearer) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("method", "request_", "scope"), [(*FEED, "erase"), (*ERASE, "feed"), (*CANCEL, "feed")], ids=str
)
async def test_scope_of_the_other_rpcs_asks_nothing(bench: Bench, method: str, request_: object, scope: str) -> None:
    assert await bench.refused(method, request_, bearer=token(scope)) is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("ListTenantEvents", pb.ListTenantEventsRequest(nonce=b"short")),
        ("ListTenantEvents", pb.ListTenantEventsRequest(nonce=NONCE, cursor=bytes(257))),
        ("EraseAccount", pb.EraseAccountRequest(nonce=NONCE)),
        ("EraseAccount", pb.EraseAccountRequest(nonce=b"", account="alice")),
        ("EraseAccount", pb.EraseAccountRequest(nonce=NONCE, account="a\x00b")),
        ("CancelEraseAccount", pb.CancelEraseAccountRequest(nonce=NONCE, account="x" * 256)),
    ],
)
async def test_malformed_field_asks_nothing_and_strangers_learn_nothing_of_it(
    bench: Bench, method: str, request_: object
) -> None:
    assert await bench.refused(method, request_) is grpc.StatusCode.INVALID_ARGUMENT
    assert await bench.refused(method, request_, bearer="x.y.z") is grpc.StatusCode.UNAUTHENTICATED


async def test_tenants_own_rate_is_spent_by_what_the_tenant_asks() -> None:
    bench = Bench(tenant=Window(count=1, seconds=60))
    bench.keeper.already_granted = True
    await bench.ask(*ERASE)
    bench.keeper.asked.clear()
    assert await bench.refused(*CANCEL) is grpc.StatusCode.RESOURCE_EXHAUSTED
