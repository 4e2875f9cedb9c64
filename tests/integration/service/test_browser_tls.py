"""[browser] as for real users: TLS, certificates and tenants that change, and an end that others learn of."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
import trustme

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.fakes.stepped_vault import until
from tests.integration.service.test_life_of_service import metrics_of

PAGE: Final = "http://localhost:8737"
NEW_PAGE: Final = "http://localhost:9999"
PATH: Final = "/strongroom.v1.VaultService/GetVault"
PATIENCE_SECONDS: Final = 30.0


class Listener:
    """The vault's listener for browsers, reached over TLS."""

    def __init__(self, vault: DevelopmentVault) -> None:
        self.vault = vault
        self.port = urlsplit(vault.files.browser_url or "").port or 0

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
        context = ssl.create_default_context(cafile=str(self.vault.ca_file))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def call(self, origin: str) -> int:
        headers = {
            "origin": origin,
            "content-type": "application/json",
            "connect-timeout-ms": "5000",
            "authorization": f"Bearer {self.vault.issue_token('alice')}",
        }
        return self.ask("POST", PATH, headers=headers, body=json.dumps({"nonce": "A" * 43 + "="}).encode())


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    shape = VaultShape(keepers=1, browser=True, origins=(PAGE,), settings={"drain_wait_seconds": 4.0})
    files = make_files(tmp_path_factory.mktemp("tls"), shape)
    config = files.config_file.read_text(encoding="utf-8")
    files.config_file.write_text(config.replace("plaintext = true\n", ""), encoding="utf-8")
    with DevelopmentVault(files) as vault:
        vault.init()
        vault.serve()
        yield Listener(vault)


def test_page_calls_over_tls(listener: Listener) -> None:
    assert listener.call(PAGE) == 200
    ends_at = 'strongroom_tls_certificate_not_after_timestamp_seconds{role="browser"}'
    assert metrics_of(listener.vault)[ends_at] > 0


def test_nothing_is_answered_without_tls(listener: Listener) -> None:
    lines = listener.vault.log_file.read_bytes().count(b"\n")
    with socket.create_connection(("127.0.0.1", listener.port), timeout=PATIENCE_SECONDS) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(1_000).startswith(b"HTTP")
    assert listener.ask("GET", "/health") == 200
    assert listener.vault.log_file.read_bytes().count(b"\n") == lines


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(listener: Listener, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(listener.vault.ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("localhost", listener.port), timeout=PATIENCE_SECONDS) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_renewed_certificate_is_served_to_browsers_without_a_restart(listener: Listener) -> None:
    vault, folder = listener.vault, listener.vault.files.folder
    other = trustme.CA(organization_name="another authority")
    renewed = other.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(b"half a certificate")
    assert listener.ask("GET", "/health") == 200  # the files are not fit: the good one stays
    renewed.private_key_pem.write_to_path(folder / "server-key.pem")
    renewed.cert_chain_pems[0].write_to_path(folder / "server.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        listener.ask("GET", "/health")
    other.cert_pem.write_to_path(vault.ca_file)
    assert listener.ask("GET", "/health") == 200
    assert vault.is_serving()  # gRPC has the same pair, and has seen it too


def test_pages_of_a_tenant_may_call_once_its_file_is_read_again(listener: Listener) -> None:
    assert (listener.call(NEW_PAGE), listener.call(PAGE)) == (403, 200)
    [tenant_file] = (listener.vault.files.folder / "tenants").glob("*.toml")
    text = tenant_file.read_text(encoding="utf-8")
    tenant_file.write_text(text.replace(PAGE, NEW_PAGE), encoding="utf-8")
    os.kill(listener.vault.pid, signal.SIGHUP)
    until(lambda: listener.call(NEW_PAGE) == 200, "the new page may call")
    assert listener.call(PAGE) == 403
    tenant_file.write_text(text, encoding="utf-8")
    os.kill(listener.vault.pid, signal.SIGHUP)
    until(lambda: listener.call(PAGE) == 200, "the old page may call again")


@pytest.mark.verify
def test_end_is_told_before_it_comes(listener: Listener) -> None:
    os.kill(listener.vault.pid, signal.SIGTERM)
    until(lambda: listener.ask("GET", "/health") == 503, "health says that it ends")
    assert listener.call(PAGE) == 200
    assert listener.vault.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        listener.ask("GET", "/health")
    listener.vault.serve()
    assert listener.call(PAGE) == 200
