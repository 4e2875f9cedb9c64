"""The listener for browsers: none, or uvicorn and connectrpc, which are imported only if it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from strongroom_service.front.tls import ServerCertificate
from strongroom_service.telemetry.browser_metrics import BrowserMetrics

if TYPE_CHECKING:
    import ssl

    from strongroom_service.config.browser import Browser
    from strongroom_service.config.tenant_file import Tenants
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.front.guard import Log
    from strongroom_service.front.readiness import Readiness
    from strongroom_service.front.servicer import VaultServicer
    from strongroom_service.telemetry.metrics import Metrics


class Listener(Protocol):
    """What serves at an address."""

    async def start(self) -> None:
        """Listen. Raises Misconfigured: the address is not there, or in use."""

    async def stop(self, *, grace_seconds: float) -> None:
        """Take no new calls, and return when those under way have ended, or after `grace_seconds`."""


class NoListener:
    """Implements `Listener` by none."""

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self, *, grace_seconds: float) -> None:
        """Do nothing."""


def make_browser_server(
    config: VaultConfig,
    *,
    servicer: VaultServicer,
    tenants: Tenants,
    readiness: Readiness,
    metrics: Metrics,
    log: Log,
) -> Listener:
    """Return what serves `servicer` to browsers, if the vault's file has [browser].

    Raises:
        Misconfigured: its certificate cannot be read.
    """
    if config.browser is None:
        return NoListener()
    from strongroom_service.front.browser.server import BrowserServer  # noqa: PLC0415  off by default, as is its code

    return BrowserServer(
        servicer=servicer,
        browser=config.browser,
        limits=config.limits,
        context=_tls(config, config.browser, metrics=metrics, log=log),
        allow_page=tenants.allow_page,
        is_ready=lambda: readiness.ready,
        metrics=BrowserMetrics(metrics.registry),
        log=log,
    )


def _tls(config: VaultConfig, browser: Browser, *, metrics: Metrics, log: Log) -> ssl.SSLContext | None:
    if browser.plaintext:
        return None
    certificate = ServerCertificate(
        certificate_file=browser.tls_certificate_file or config.listen.tls_certificate_file,
        key_file=browser.tls_key_file or config.listen.tls_key_file,
        log=log,
    )
    metrics.certificate_ends_at.labels("browser").set_function(certificate.ends_at)
    return certificate.ssl_context()
