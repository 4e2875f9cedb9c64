"""The server's certificate as commands look at it: how long it holds, and for which names."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """Certificates in the order of their file, the server's own first."""

    certificates: Sequence[x509.Certificate]

    @property
    def not_before(self) -> Millis:
        """From when on all of them hold."""
        return Millis(max(round(each.not_valid_before_utc.timestamp() * 1_000) for each in self.certificates))

    @property
    def not_after(self) -> Millis:
        """Until when all of them hold: the first to end ends the chain."""
        return Millis(min(round(each.not_valid_after_utc.timestamp() * 1_000) for each in self.certificates))

    @property
    def names(self) -> tuple[str, ...]:
        """Host names and addresses that the server's own is for; clients look at nothing else."""
        try:
            alternative = self.certificates[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        addresses = alternative.get_values_for_type(x509.IPAddress)
        return (*alternative.get_values_for_type(x509.DNSName), *map(str, addresses))

    def speaks_for(self, host: str) -> bool:
        """Return whether a client that connects to `host` takes the server's own for it."""
        try:
            return str(ipaddress.ip_address(host)) in self.names
        except ValueError:
            pass
        _, _, parent = host.partition(".")
        return any(name.lower() in {host.lower(), f"*.{parent}".lower()} for name in self.names)

    def first_unsigned(self) -> int | None:
        """Return the position of the first certificate that the next in the file did not issue; None if each was."""
        for position, (one, issuer) in enumerate(zip(self.certificates, self.certificates[1:], strict=False)):
            try:
                one.verify_directly_issued_by(issuer)
            except Exception:  # noqa: BLE001  of several kinds, down to algorithms that nobody knows
                return position
        return None


def days_left(until: Millis, *, now: Millis) -> int:
    """Return how many whole days there are until then; below zero when it is over."""
    return (until - now) // _DAY_MS


def read_chain(path: Path) -> CertificateChain:
    """Read a PEM file.

    Raises:
        Misconfigured: it cannot be read, or holds no certificate.
    """
    try:
        return CertificateChain(tuple(x509.load_pem_x509_certificates(path.read_bytes())))
    except OSError as error:
        raise Misconfigured(f"certificate {path}: {error.strerror}") from error
    except ValueError as error:
        raise Misconfigured(f"certificate {path}: holds no certificate in PEM") from error
