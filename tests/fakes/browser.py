"""What a front serves to browsers, without its server: the gate, Connect, and a servicer over fakes."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom_service.application.attempt import Attempts
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.front.browser.cors import Cors
from strongroom_service.front.browser.gate import Gate
from strongroom_service.front.browser.service import PATHS, connect_application
from strongroom_service.front.caller import Admission
from strongroom_service.front.guard import RPC_METHODS, Guard
from strongroom_service.front.servicer import VaultServicer
from strongroom_service.telemetry.browser_metrics import BrowserMetrics, NotServed
from strongroom_service.telemetry.metrics import Metrics
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.asgi import Exchange, Header
from tests.fakes.clock import FakeClock
from tests.fakes.keeper import FakeKeeper
from tests.fakes.log import RecordingLog
from tests.fakes.rates import FakeRateStore, FakeSeconds, make_rates
from tests.fakes.recording import RecordingStore
from tests.fakes.tenant import AUDIENCE, FakeTenant

CLOCK, TENANT = FakeClock(), FakeTenant()
PAGE = "https://notes.example"
MAX_BYTES, MAX_HEAD_BYTES = 98_304, 8_192
AUTHORIZATION: Header = (b"authorization", f"Bearer {TENANT.token(now=CLOCK.now())}".encode())
JSON: tuple[Header, ...] = ((b"content-type", b"application/json"), (b"connect-timeout-ms", b"5000"))


class BrowserBench:
    """A gate with all that is behind it."""

    def __init__(self, *, body_seconds: float = 10.0, ready: bool = True) -> None:
        self.log = RecordingLog()
        self.metrics = Metrics(version="0", rpc_methods=RPC_METHODS)
        self.browser_metrics = BrowserMetrics(self.metrics.registry)
        self._counts = FakeRateStore(FakeSeconds())
        rates, keeper, store = make_rates(self._counts), FakeKeeper(), RecordingStore([])
        self.servicer = VaultServicer(
            guard=Guard(
                rates=rates, metrics=self.metrics, log=self.log, max_deadline_seconds=10, max_concurrent_calls=4
            ),
            admission=Admission(
                verifier=AccountTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE),
                id_key=lambda: b"k" * 32,
                clock=CLOCK,
            ),
            rates=rates,
            keeper=keeper,
            store=store,
            attempts=Attempts(keeper=keeper, store=store, note=lambda *_: None),
            owner_bundles=tuple,
        )
        self.gate = Gate(
            connect_application(self.servicer, max_request_bytes=MAX_BYTES),
            paths=PATHS,
            cors=Cors(lambda origin: origin == PAGE),
            head_bytes=MAX_HEAD_BYTES,
            body_seconds=body_seconds,
            is_ready=lambda: ready,
            metrics=self.browser_metrics,
            log=self.log,
        )

    async def ask(self, exchange: Exchange) -> Exchange:
        await exchange.run(self.gate)
        return exchange

    async def post(self, *chunks: bytes, headers: Iterable[Header] = (AUTHORIZATION, *JSON)) -> Exchange:
        return await self.ask(Exchange(headers, chunks or (b"",)))

    @property
    def rate_keys(self) -> list[str]:
        return self._counts.keys

    def turned_away(self, reason: NotServed) -> float | None:
        name = "strongroom_browser_turned_away_total"
        return self.metrics.registry.get_sample_value(name, {"reason": reason.value})

    def handled(self, code: str, method: str = "GetVault") -> float | None:
        labels = {"grpc_type": "unary", "grpc_service": "strongroom.v1.VaultService", "grpc_method": method}
        return self.metrics.registry.get_sample_value("grpc_server_handled_total", {**labels, "grpc_code": code})
