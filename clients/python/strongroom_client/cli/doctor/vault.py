"""The way to the vault: it is reached, by TLS that holds, its keys are the pinned ones, and the clocks agree."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, cast

from google.protobuf.message import DecodeError

from strongroom.v1 import vault_service_pb2
from strongroom_client.account_tokens import AccountTokenFile
from strongroom_client.cli.configuration import Configuration
from strongroom_client.cli.doctor.findings import Finding, fail, ok, skip, warn
from strongroom_client.cli.doctor.remembering import Remembered
from strongroom_client.cli.explanations import explain
from strongroom_client.client import VaultClient
from strongroom_client.clock import Clock
from strongroom_client.errors import StrongroomError
from strongroom_client.flows.answers import NONCE_BYTES
from strongroom_client.memory import AccountMemory
from strongroom_client.steps import Rpc
from strongroom_client.transport import Connection, GrpcConnection

_TIMEOUT_SECONDS: Final = 10.0
_SKEW_WARN_MS: Final = 5_000
_SKEW_FAIL_MS: Final = 60_000
_CERTIFICATE_WARN_DAYS: Final = 14
_DAY_SECONDS: Final = 86_400
_NAMES: Final = "dns:///"
_CLOCK_REMEDY: Final = "set this device's clock, and keep it right by NTP: timedatectl set-ntp true"


def check_way(configuration: Configuration) -> Iterator[Finding]:
    """Reach the vault's port, and shake hands."""
    address = configuration.address
    place = _host_and_port(address.target)
    if place is None:
        yield skip("reachable", "the address names several replicas")
        return
    host, port = place
    try:
        with socket.create_connection(place, timeout=_TIMEOUT_SECONDS) as connection:
            yield ok("reachable", f"{host}:{port} takes connections")
            if address.insecure:
                yield warn("tls", "insecure = true: anybody between reads the account token", "remove `insecure`")
            else:
                name = address.server_name.rpartition(":")[0] or address.server_name or host
                yield _check_tls(connection, name, configuration)
    except socket.gaierror:
        yield fail("reachable", f"the name {host} is not known", "look at `vault` in strongroom.toml, and at DNS")
    except OSError as error:
        said = error.strerror or "no answer in time"
        yield fail("reachable", f"{host}:{port}: {said}", "is it the right address and port, and no firewall between?")


def check_answers(configuration: Configuration, memory: AccountMemory | None, *, clock: Clock) -> Iterator[Finding]:
    """Ask the vault about itself: the account token counts there, the clocks agree, its keys are the pinned ones."""
    trust = configuration.settings.trust
    if trust.unpinned:
        yield warn(
            "pins",
            "no identity key is pinned: receipts prove nothing",
            "ask the operator for it, and put it under `pins`",
        )
    connection = GrpcConnection(configuration.address, account_token=AccountTokenFile(configuration.account_token_file))
    try:
        yield _check_clock(connection, clock=clock)
    except StrongroomError as error:
        told = explain(error)
        yield fail("vault_answers", told.said, told.advice)
        return
    finally:
        connection.close()
    yield ok("vault_answers", "the vault answers this account")
    if not trust.unpinned:
        yield _check_pins(configuration, memory, clock=clock)


def _check_clock(connection: Connection, *, clock: Clock) -> Finding:
    """Compare this device's clock with the keeper's, which counts for every ceremony; half of the way is taken off."""
    request = vault_service_pb2.GetServiceInfoRequest(nonce=bytes(NONCE_BYTES))
    began, start = clock(), time.monotonic()
    response = cast("vault_service_pb2.GetServiceInfoResponse", connection.call(Rpc.GET_SERVICE_INFO, request))
    way_ms = (time.monotonic() - start) * 1_000
    try:
        reply = vault_service_pb2.ServiceInfoReply.FromString(response.reply)
        skew_ms = began + way_ms / 2 - reply.keeper_time.ToMilliseconds()
    except (DecodeError, ValueError):
        return skip("clock", "the vault does not say what time it is")
    said = f"{abs(skew_ms) / 1_000:.1f} s {'ahead of' if skew_ms > 0 else 'behind'} the vault's"
    if abs(skew_ms) > _SKEW_FAIL_MS + way_ms:
        return fail("clock", said, _CLOCK_REMEDY)
    return warn("clock", said, _CLOCK_REMEDY) if abs(skew_ms) > _SKEW_WARN_MS + way_ms else ok("clock", said)


def _check_pins(configuration: Configuration, memory: AccountMemory | None, *, clock: Clock) -> Finding:
    if memory is None:
        return skip("pins", "what this device remembers cannot be read")
    connection = GrpcConnection(configuration.address, account_token=AccountTokenFile(configuration.account_token_file))
    settings = configuration.settings
    try:
        with VaultClient(settings=settings, connection=connection, memory=Remembered(memory), clock=clock) as client:
            service = client.service_info()
    except StrongroomError as error:
        told = explain(error)
        return fail("pins", told.said, told.advice or "ask the operator for the fingerprint of the identity key")
    return ok("pins", f"the vault's keys are signed by a pinned identity key; RP ID {service.rp_id}")


def _check_tls(connection: socket.socket, name: str, configuration: Configuration) -> Finding:
    ca_file = configuration.address.root_certificates
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError:
        return fail("tls", f"{ca_file} holds no certificates", "look at `ca_file` in strongroom.toml")
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connection, server_hostname=name) as secure:
            certificate, chosen = secure.getpeercert() or {}, secure.selected_alpn_protocol()
    except ssl.SSLCertVerificationError as error:
        return fail(
            "tls", f"the certificate is not believed: {error.verify_message}", "look at `ca_file`, or ask the operator"
        )
    except OSError:
        return fail("tls", "this port speaks no TLS", "is it the right port?")
    if chosen != "h2":
        return fail(
            "tls", "this port speaks TLS, but not gRPC's HTTP/2", "is it the right port? A proxy must pass HTTP/2"
        )
    until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    said = f"the certificate for {name} is good until {datetime.fromtimestamp(until, tz=UTC):%Y-%m-%d}"
    if until - time.time() < _CERTIFICATE_WARN_DAYS * _DAY_SECONDS:
        return warn("tls", said, "tell the vault's operator")
    return ok("tls", said)


def _host_and_port(target: str) -> tuple[str, int] | None:
    """Return where a target leads that names one place."""
    host, _, port = target.removeprefix(_NAMES).rpartition(":")
    if not port.isdecimal() or "," in target or "/" in host or host.startswith(("ipv4:", "ipv6:")):
        return None
    return host.strip("[]"), int(port)
