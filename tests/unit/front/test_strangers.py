"""Who has no good token, or sends no message, costs keeper, token and database nothing: recorded at both ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import pytest

from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.application.attempt import Attempts
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.front.caller import Admission
from strongroom_service.front.guard import RPC_METHODS, Guard
from strongroom_service.front.servicer import VaultServicer
from strongroom_service.front.unreadable import UNREADABLE
from strongroom_service.telemetry.metrics import Metrics
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.clock import FakeClock
from tests.fakes.grpc_context import Aborted, FakeContext
from tests.fakes.keeper import FakeKeeper
from tests.fakes.log import RecordingLog
from tests.fakes.rates import make_rates
from tests.fakes.recording import Entry, RecordingStore
from tests.fakes.tenant import AUDIENCE, FakeTenant

RPCS = [method.name for method in pb.DESCRIPTOR.services_by_name["VaultService"].methods]
CLOCK, TENANT, STRANGER = FakeClock(), FakeTenant(), FakeTenant()
HEADER = {"alg": "ES256", "kid": "ec", "typ": "JWT"}
CLAIMS = TENANT.claims(now=CLOCK.now())
TOKENS = {
    "none": "",
    "garbage": "a.b.c",
    "expired": TENANT.sign(HEADER, {**CLAIMS, "iat": CLAIMS["iat"] - 1_000, "exp": CLAIMS["iat"] - 400}),
    "by a stranger's key": STRANGER.sign(HEADER, CLAIMS),
    "of another vault": TENANT.sign(HEADER, {**CLAIMS, "aud": "https://other.example"}),
    "a tenant's": TENANT.sign({**HEADER, "typ": "strongroom-tenant+jwt"}, CLAIMS),
}
GOOD = TENANT.sign(HEADER, CLAIMS)
Rpc = Callable[[object, object], Awaitable[object]]


class Bench:
    """A servicer over a keeper and a store that write down what they are asked."""

    def __init__(self) -> None:
        self.stored: list[Entry] = []
        self.keeper, store = FakeKeeper(), RecordingStore(self.stored)
        rates, metrics = make_rates(), Metrics(version="0", rpc_methods=RPC_METHODS)
        log = RecordingLog()
        self.servicer = VaultServicer(
            guard=Guard(rates=rates, metrics=metrics, log=log, max_deadline_seconds=10, max_concurrent_calls=4),
            admission=Admission(
                verifier=AccountTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE),
                id_key=lambda: b"k" * 32,
                clock=CLOCK,
            ),
            rates=rates,
            keeper=self.keeper,
            store=store,
            attempts=Attempts(keeper=self.keeper, store=store, note=lambda *_: None),
            owner_bundles=list,
        )

    async def told(self, rpc: str, request: object, *, token: str) -> tuple[grpc.StatusCode, object]:
        context = FakeContext(metadata=(("authorization", f"Bearer {token}"),))
        with pytest.raises(Aborted):
            await cast("Rpc", getattr(self.servicer, rpc))(request, context)
        return context.code, context.trailers["grpc-status-details-bin"]


def request_of(rpc: str) -> object:
    """One whose fields are all missing."""
    kind: Callable[[], object] = getattr(pb, f"{rpc}Request")
    return kind()


@pytest.mark.parametrize("rpc", RPCS)
async def test_bad_tokens_are_told_alike_and_nothing_is_asked_of_anybody(rpc: str) -> None:
    bench = Bench()
    told = {await bench.told(rpc, request_of(rpc), token=token) for token in TOKENS.values()}
    assert len(told) == 1
    ((code, _),) = told
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert (bench.keeper.asked, bench.stored) == ([], [])


@pytest.mark.parametrize("rpc", RPCS)
async def test_requests_that_break_a_shape_ask_nothing_of_anybody(rpc: str) -> None:
    bench = Bench()
    for request in (request_of(rpc), UNREADABLE):
        code, _ = await bench.told(rpc, request, token=GOOD)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert (bench.keeper.asked, bench.stored) == ([], [])


async def test_good_token_and_shape_ask_both() -> None:
    """Control: what is asked is written down."""
    bench = Bench()
    context: Any = FakeContext(metadata=(("authorization", f"Bearer {GOOD}"),))
    await bench.servicer.GetVault(pb.GetVaultRequest(nonce=bytes(32)), context)
    assert bench.keeper.journal == ["describe_record"]
    assert bench.stored == [("store loads",)]
