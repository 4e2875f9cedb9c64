"""The front process: gRPC, metrics and the store, without PIN and token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

import uvloop

from strongroom_service.application.attempt import Attempts
from strongroom_service.bootstrap.browser import make_browser_server
from strongroom_service.bootstrap.databases import serving_store
from strongroom_service.bootstrap.host_clock import inherited_anchor, steady_clock
from strongroom_service.bootstrap.owner_bundles import OwnerBundles
from strongroom_service.bootstrap.rates import make_rates
from strongroom_service.bootstrap.reloading import Reloading, inherited_configuration
from strongroom_service.bootstrap.system import DISTRIBUTION, checkpoint_folder, keeper_socket
from strongroom_service.bootstrap.tracing import make_tracing
from strongroom_service.front.caller import Admission, TenantAdmission
from strongroom_service.front.guard import RPC_METHODS, Guard
from strongroom_service.front.measured_keeper import MeasuredKeeper
from strongroom_service.front.readiness import Readiness
from strongroom_service.front.server import FrontServer, most_watches
from strongroom_service.front.servicer import VaultServicer
from strongroom_service.front.tenant_servicer import TenantServicer
from strongroom_service.front.tls import ServerCertificate
from strongroom_service.front.traced_store import TracedStore
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.heartbeat import Heartbeat, beat_forever
from strongroom_service.link.keeper_client import KeeperPool
from strongroom_service.link.keeper_link import LinkTimes
from strongroom_service.link.separation import check_front
from strongroom_service.store.checkpoint_folder import CheckpointFolder
from strongroom_service.telemetry.exposition import MetricsServer
from strongroom_service.telemetry.logs import configure_logging, get_logger
from strongroom_service.telemetry.metrics import Metrics
from strongroom_service.telemetry.owner_metrics import OwnerMetrics
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from strongroom_service.tokens.tenant_tokens import TenantTokenVerifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path
    from typing import Any

    from grpc_health.v1._async import HealthServicer

    from strongroom_service.bootstrap.databases import ServingStore
    from strongroom_service.config.configuration import Configuration
    from strongroom_service.front.rates import Rates
    from strongroom_service.telemetry.spans import Tracing


def run_front(config_path: Path) -> int:
    """Be the front until told to stop, then drain; return the exit code.

    Raises:
        Misconfigured, StoreUnavailable, KeeperUnavailable, TokenFault, RecordRejected: it cannot serve.
    """
    harden_process()
    configure_logging("front")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until there is a handler: it would end us
    heartbeat = Heartbeat.inherited(os.environ)
    configuration = inherited_configuration(config_path, os.environ)
    config = configuration.vault
    check_front(
        front_uid=None if config.users is None else config.users.front_uid,
        own_uid=os.geteuid(),
        single_user=config.single_user,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Front(config_path, configuration).serve(heartbeat))
    return 0


class _Front:
    """The parts of a front, wired."""

    def __init__(self, config_path: Path, configuration: Configuration) -> None:
        """Call it on the running loop's thread; nothing listens or connects yet."""
        self._config = config = configuration.vault
        self._verifier = AccountTokenVerifier(configuration.tenants, config.audience)
        self._log = get_logger()
        self._tenants = configuration.tenants
        self._reloading = Reloading(config_path, configuration, log=self._log)
        self._metrics = Metrics(version=version(DISTRIBUTION), rpc_methods=RPC_METHODS)
        self._metrics.single_user.set(int(config.single_user))
        owner_metrics = OwnerMetrics(self._metrics.registry)
        self._owner_bundles = OwnerBundles(config.owners, failures=owner_metrics.failures, log=self._log)
        owner_metrics.ends_at.set_function(self._owner_bundles.ends_at)
        self._clock = steady_clock(inherited_anchor(os.environ), config.clock, log=self._log)
        folder = CheckpointFolder(checkpoint_folder(config))
        self._metrics.checkpoint_made_at.set_function(folder.newest_at)
        self._metrics.clock_beyond_seconds.set_function(lambda: self._clock.beyond() / 1_000)

    async def serve(self, heartbeat: Heartbeat | None) -> None:
        """Serve until SIGTERM or SIGINT, then finish what was begun."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with contextlib.AsyncExitStack() as resources:
            tracing = make_tracing(self._config.tracing, log=self._log, resources=resources)
            opening = serving_store(self._config, observe_commit=self._observe_commit)
            store = await resources.enter_async_context(opening)
            page = self._config.metrics
            resources.callback(MetricsServer(registry=self._metrics.registry, host=page.host, port=page.port).close)
            readiness = Readiness(
                check_store=store.check,
                most_watches=most_watches(self._config.limits),
                metrics=self._metrics,
                log=self._log,
            )
            pool = self._make_pool(store, readiness)
            keeper = MeasuredKeeper(pool, metrics=self._metrics, tracing=tracing)
            attempts = Attempts(keeper=keeper, store=TracedStore(store, tracing=tracing), note=self._metrics.judge)
            rates = make_rates(self._config, metrics=self._metrics, log=self._log, resources=resources)
            guard = self._make_guard(rates, tracing)
            servicer = VaultServicer(
                guard=guard,
                admission=self._make_admission(pool),
                rates=rates,
                keeper=keeper,
                store=store,
                attempts=attempts,
                owner_bundles=self._owner_bundles.handed_out,
            )
            tenant_servicer = TenantServicer(
                guard=guard,
                admission=self._make_tenant_admission(pool),
                rates=rates,
                keeper=keeper,
                feed=store,
                attempts=attempts,
            )
            server = self._make_server(guard, servicer, tenant_servicer, health=readiness.servicer)
            browser_server = make_browser_server(
                self._config,
                servicer=servicer,
                tenants=self._tenants,
                readiness=readiness,
                metrics=self._metrics,
                log=self._log,
            )
            await readiness.look()
            await server.start()
            await browser_server.start()
            self._log.info("listening", host=self._config.listen.host, port=self._config.listen.port)
            beating = [beat_forever(heartbeat)] if heartbeat else []
            watching = (readiness.watch(), self._owner_bundles.watch())
            async with _background(stop, *watching, self._reload_when_told(rates), *beating):
                try:
                    await _start_unless(stop, pool)
                    await stop.wait()
                finally:
                    self._log.info("draining")
                    await readiness.drain()
                    await asyncio.sleep(self._config.drain_wait_seconds)
                    grace = self._config.drain_grace_seconds
                    await asyncio.gather(server.stop(grace_seconds=grace), browser_server.stop(grace_seconds=grace))
                    await attempts.drain()
                    await pool.close()

    async def _reload_when_told(self, rates: Rates) -> NoReturn:
        """Read the files again at each SIGHUP, and go by them at once, or not at all."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        self._metrics.configuration_loaded_at.set_to_current_time()
        while True:
            await told.wait()
            told.clear()
            newest = await asyncio.to_thread(self._reloading.read)
            if newest is None:
                self._metrics.configuration_failures.inc()
                continue
            self._tenants.replace(newest.tenants)
            self._verifier.replace_tenants(self._tenants)
            rates.replace_windows(newest.vault.rates.by_scope())
            self._metrics.configuration_waiting.set(len(self._reloading.note(newest)))
            self._metrics.configuration_loaded_at.set_to_current_time()

    def _make_pool(self, store: ServingStore, readiness: Readiness) -> KeeperPool:
        pool = KeeperPool(
            paths=[keeper_socket(self._config, index) for index in range(self._config.keepers.count)],
            load_vault=store.load_vault,
            commit_vault=store.commit_vault,
            times=LinkTimes(
                call_timeout_seconds=self._config.keepers.call_deadline_seconds,
                reopen_interval_seconds=self._config.keepers.reopen_seconds,
            ),
            metrics=self._metrics.keepers,
            log=self._log,
            on_ready=readiness.note_keepers,
        )
        metrics = self._metrics
        metrics.keepers_configured.set(self._config.keepers.count)
        metrics.keepers_connected.set_function(lambda: pool.healthy_keepers)
        metrics.keepers_memory_unlocked.set_function(lambda: pool.count(lambda keeper: not keeper.memory_locked))
        metrics.keepers_clock_held.set_function(lambda: pool.count(lambda keeper: keeper.clock_beyond_ms != 0))
        metrics.keepers_clock_untrusted.set_function(lambda: pool.count(lambda keeper: not keeper.clock_trusted))
        return pool

    def _make_guard(self, rates: Rates, tracing: Tracing) -> Guard:
        limits = self._config.limits
        return Guard(
            rates=rates,
            metrics=self._metrics,
            log=self._log,
            max_deadline_seconds=limits.max_deadline_seconds,
            max_concurrent_calls=limits.max_concurrent_calls,
            tracing=tracing,
        )

    def _make_admission(self, pool: KeeperPool) -> Admission:
        return Admission(
            verifier=self._verifier,
            id_key=lambda: pool.id_key.value,
            clock=self._clock,
        )

    def _make_tenant_admission(self, pool: KeeperPool) -> TenantAdmission:
        return TenantAdmission(
            verifier=TenantTokenVerifier(self._tenants, self._config.audience),
            id_key=lambda: pool.id_key.value,
            clock=self._clock,
        )

    def _make_server(
        self, guard: Guard, servicer: VaultServicer, tenant_servicer: TenantServicer, *, health: HealthServicer
    ) -> FrontServer:
        listen = self._config.listen
        certificate = ServerCertificate(
            certificate_file=listen.tls_certificate_file, key_file=listen.tls_key_file, log=self._log
        )
        self._metrics.certificate_ends_at.labels("server").set_function(certificate.ends_at)
        return FrontServer(
            servicer=servicer,
            tenant_servicer=tenant_servicer,
            health=health,
            health_port=self._config.health,
            listen=listen,
            limits=self._config.limits,
            credentials=certificate.credentials(),
            wait_until_idle=guard.wait_until_idle,
        )

    def _observe_commit(self, seconds: float, rows: int) -> None:
        self._metrics.commit_seconds.observe(seconds)
        self._metrics.commit_batch_size.observe(rows)


@contextlib.asynccontextmanager
async def _background(stop: asyncio.Event, *endless: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Run what never ends by itself. Should one do, by a bug, the front stops, and its supervisor starts another."""
    tasks = [asyncio.create_task(each) for each in endless]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for result in ended:
        if not isinstance(result, asyncio.CancelledError):
            raise result


async def _start_unless(stop: asyncio.Event, pool: KeeperPool) -> None:
    """Start the pool, or give up as soon as we are told to stop. Raises as `KeeperPool.start`."""
    starting, stopping = asyncio.create_task(pool.start()), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if starting.done():
        starting.result()
    else:
        starting.cancel()
        await asyncio.wait({starting})
