"""The listener for browsers: whether it answers, whether there is a page that may call, and its own certificate."""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.doctor.findings import Outcome, fail, ok, warn
from strongroom_service.bootstrap.doctor.tls import check_tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.browser import Browser
    from strongroom_service.config.tenant_file import Tenants

_SECONDS: Final = 5.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  looked for, not bound to


def check_browser(browser: Browser | None, tenants: Tenants, *, host: str | None) -> Iterator[Finding]:
    """Look at it as a page would; `host` as for `check_tls`."""
    if browser is None:
        yield ok("browser", "browsers are not served")
        yield ok("browser_certificate", "browsers are not served")
        return
    yield _listener(browser, tenants)
    yield _certificate(browser, host)


def _listener(browser: Browser, tenants: Tenants) -> Finding:
    pages = sum(origin.startswith("http") for tenant in tenants for origin in tenant.assertion_policy.origins)
    if not pages:
        return fail(
            "browser", "no tenant names a web origin", "add the page's origin to `origins` of its tenant's file"
        )
    try:
        status = _ask(browser)
    except (OSError, http.client.HTTPException) as error:
        found = f"{browser.host} port {browser.port} does not answer: {type(error).__name__}"
        return fail("browser", found, "start the service, or give [browser] a port of its own")
    if status != HTTPStatus.OK:
        found = f"{browser.host} port {browser.port} answers /health with {status}"
        return fail("browser", found, "see keepers and database above; else another program has the port")
    if browser.plaintext:
        return warn("browser", "it answers without TLS", "remove `plaintext` before there are users")
    return ok("browser", f"it answers; pages of {pages} origins may call")


def _ask(browser: Browser) -> int:
    host = _EVERYWHERE.get(browser.host, browser.host)
    # Whose certificate it is, is not asked here: only whether somebody answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = (
        http.client.HTTPConnection(host, browser.port, timeout=_SECONDS)
        if browser.plaintext
        else http.client.HTTPSConnection(host, browser.port, timeout=_SECONDS, context=context)
    )
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def _certificate(browser: Browser, host: str | None) -> Finding:
    if browser.tls_certificate_file is None or browser.tls_key_file is None:
        return ok("browser_certificate", "none" if browser.plaintext else "that of [listen]")
    worst = ok("browser_certificate", "fits its key, in order, for its name, and does not end soon")
    for found in check_tls(browser.tls_certificate_file, browser.tls_key_file, listened_at=browser.host, host=host):
        if found.outcome is Outcome.FAIL:
            return fail("browser_certificate", found.found, found.remedy)
        if found.outcome is Outcome.WARN:
            worst = warn("browser_certificate", found.found, found.remedy)
    return worst
