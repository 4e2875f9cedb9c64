"""The certificate that clients meet first."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.certificates import days_left, read_chain
from strongroom_service.bootstrap.doctor.findings import attempt, fail, ok, skip, warn
from strongroom_service.bootstrap.system import SystemClock
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom_service.bootstrap.certificates import CertificateChain
    from strongroom_service.bootstrap.doctor.findings import Finding

CERTIFICATE_DAYS: Final = 14
"""Sooner than this before its end a certificate is told of: time enough to renew it by hand."""

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  looked for, not bound to
_RENEW: Final = "renew the certificate: both files are read again when they change"


def check_tls(certificate_file: Path, key_file: Path, *, listened_at: str, host: str | None) -> Iterator[Finding]:
    """Look at it as clients that connect to `host` would; None: to the address that is listened at."""
    pair = attempt(
        "certificate",
        lambda: _pair(certificate_file, key_file),
        f"give the certificate chain and its own key, both in PEM and readable for the front's user ({os.geteuid()})",
    )
    yield pair
    try:
        chain = read_chain(certificate_file)
    except Misconfigured as error:
        for check in ("certificate_chain", "certificate_expiry", "certificate_names"):
            yield skip(check, str(error))
        return
    yield _chain(chain)
    yield _expiry(chain)
    yield _names(chain, listened_at, host)


def _pair(certificate_file: Path, key_file: Path) -> str:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key_file, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        files = f"{certificate_file} with key {key_file}"
        raise Misconfigured(f"{files}: {reason or 'not a certificate with its key in PEM'}") from error
    return f"{certificate_file} and its key belong together"


def _chain(chain: CertificateChain) -> Finding:
    position = chain.first_unsigned()
    if position is not None:
        found = f"certificate {position + 1} of the file is not issued by the next one"
        return fail("certificate_chain", found, "put the server's own certificate first, then each issuer in turn")
    return ok("certificate_chain", f"{len(chain.certificates)} in order")


def _expiry(chain: CertificateChain) -> Finding:
    now = SystemClock().now()
    left = days_left(chain.not_after, now=now)
    if chain.not_before > now:
        return fail("certificate_expiry", "it does not hold yet", "look at the clock, or " + _RENEW)
    if left < 0:
        return fail("certificate_expiry", f"it has ended, {-left - 1} whole days ago", _RENEW)
    if left < CERTIFICATE_DAYS:
        return warn("certificate_expiry", f"it ends in {left} days", _RENEW)
    return ok("certificate_expiry", f"it ends in {left} days")


def _names(chain: CertificateChain, listened_at: str, host: str | None) -> Finding:
    remedy = "have a certificate issued with the name that clients connect to as a subject alternative name"
    if not chain.names:
        return fail("certificate_names", "it has no subject alternative name, and clients look at nothing else", remedy)
    named = ", ".join(chain.names)
    if host is None and listened_at in _EVERYWHERE:
        return ok("certificate_names", f"it is for {named}; --host NAME asks whether that is right")
    asked = host or listened_at
    if not chain.speaks_for(asked):
        found = f"it is for {named}, not for {asked}"
        return fail("certificate_names", found, remedy) if host else warn("certificate_names", found, remedy)
    return ok("certificate_names", f"it is for {asked}")
