"""The server's certificate, read again when its files change: certificates are renewed more often than services."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import grpc
from cryptography import x509

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.front.guard import Log


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What differs when a file was replaced or rewritten."""

    inode: int
    size: int
    modified_ns: int


class ServerCertificate:
    """A certificate chain and its key, both PEM."""

    def __init__(self, *, certificate_file: Path, key_file: Path, log: Log) -> None:
        """Read the files.

        Raises:
            Misconfigured: they cannot be read, or do not belong to each other.
        """
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._log = log
        self._ends_at = 0.0
        self._stamps = self._look()
        self._initial = self._read()

    def ends_at(self) -> float:
        """Return when the certificate in use ends, in seconds since 1970."""
        return self._ends_at

    def credentials(self) -> grpc.ServerCredentials:
        """Return what the server listens with; every new handshake gets the newest good certificate."""
        # gRPC takes None for "no change", which its stub does not know.
        renew = cast("Callable[[], grpc.ServerCertificateConfiguration]", self.renew)
        return grpc.dynamic_ssl_server_credentials(self._initial, renew, require_client_authentication=False)

    def ssl_context(self) -> ssl.SSLContext:
        """Return what a server of another kind listens with, HTTP/1.1 over it; likewise for every new handshake."""
        self._context = self._make_context()

        def take_newest(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _first: ssl.SSLContext) -> None:
            if self.renew() is not None:
                self._context = self._make_context()
            connection.context = self._context

        listening = self._make_context()
        listening.sni_callback = take_newest  # called for each handshake, whether it names a server or not
        return listening

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._certificate_file, self._key_file, password="")
        return context

    def renew(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the pair that has come since the last call; None keeps the one in use, also while new files are unfit.

        gRPC calls it before each handshake.
        """
        try:
            stamps = self._look()
            if stamps == self._stamps:
                return None
            self._stamps = stamps
            renewed = self._read()
        except Misconfigured as unfit:
            self._log.error("certificate_not_renewed", why=str(unfit))
            return None
        self._log.info("certificate_renewed", certificate_file=self._certificate_file)
        return renewed

    def _look(self) -> tuple[_Stamp, ...]:
        return tuple(_stamp_of(path) for path in (self._certificate_file, self._key_file))

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            # Refuses a pair that does not belong together, as while one file is written and the other not yet. The
            # password keeps an encrypted key from asking at a terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate_file, self._key_file, password="")
            pair = self._key_file.read_bytes(), self._certificate_file.read_bytes()
            # The chain's first is the server's own.
            self._ends_at = x509.load_pem_x509_certificate(pair[1]).not_valid_after_utc.timestamp()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Misconfigured(
                f"TLS certificate {self._certificate_file} with key {self._key_file}: {_reason(error)}"
            ) from error
        return grpc.ssl_server_certificate_configuration([pair])


def _stamp_of(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    return _Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not a certificate with its key in PEM"
    return getattr(error, "strerror", None) or "cannot be read"
