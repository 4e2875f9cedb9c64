"""Connections that speak no gRPC, or stop speaking it: they cost the service nothing but themselves."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.fakes.hand_client import HandClient
from tests.integration.abuse.conftest import Abused

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = struct.pack(">I", 0)[1:] + bytes((4, 0)) + bytes(4)  # length, type, flags, stream
PATIENCE_SECONDS = 20.0


def frame(kind: int, payload: bytes, *, stream: int = 1, flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


HOSTILE_FRAMES = {
    "no preface": os.urandom(64),
    "HTTP/1.1": b"POST /strongroom.v1.VaultService/GetVault HTTP/1.1\r\nHost: vault\r\n\r\n",
    "frame of 16 MiB announced": PREFACE + b"\xff\xff\xff" + bytes((0, 0)) + bytes(4),
    "headers that are no HPACK": PREFACE + SETTINGS + frame(1, b"\xff" * 200, flags=4),
    "data before headers": PREFACE + SETTINGS + frame(0, bytes(100)),
    "continuation of nothing": PREFACE + SETTINGS + frame(9, bytes(100), flags=4),
    "window beyond its end": PREFACE + SETTINGS + frame(8, b"\x7f\xff\xff\xff", stream=0) * 3,
    "settings that are none": PREFACE + frame(4, b"\xff" * 6, stream=0) * 4,
    "thousand resets": PREFACE + SETTINGS + frame(3, bytes(4)) * 1_000,
    "thousand pings": PREFACE + SETTINGS + frame(6, bytes(8), stream=0) * 1_000,
    "unknown frames": PREFACE + SETTINGS + frame(200, os.urandom(1_000)) * 20,
}


@contextmanager
def connected(abused: Abused, *, tls: bool = True) -> Iterator[socket.socket]:
    host, port = abused.vault.address.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as plain:
        if not tls:
            yield plain
            return
        context = ssl.create_default_context(cafile=str(abused.vault.ca_file))
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(plain, server_hostname=host) as secured:
            yield secured


def send_and_drain(connection: socket.socket, data: bytes) -> None:
    """Send it, and read until the other side has had enough, or says nothing more."""
    connection.settimeout(1.0)
    try:
        connection.sendall(data)
        while connection.recv(65_536):
            pass
    except (ConnectionError, TimeoutError, ssl.SSLError):
        return


def require_served(abused: Abused) -> None:
    with HandClient(abused.vault) as client:
        assert client.vault_reply().account == client.account


@pytest.mark.parametrize("what", HOSTILE_FRAMES)
def test_connection_that_speaks_no_http2_harms_nobody(abused: Abused, what: str) -> None:
    with connected(abused) as connection:
        send_and_drain(connection, HOSTILE_FRAMES[what])
        require_served(abused)


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\xff\xff", os.urandom(5_000), PREFACE], ids=len)
def test_connection_that_speaks_no_tls_harms_nobody(abused: Abused, data: bytes) -> None:
    with connected(abused, tls=False) as connection:
        connection.sendall(data)
        require_served(abused)


def test_connections_that_say_nothing_keep_nobody_out(abused: Abused) -> None:
    with ExitStack() as stack:
        for number in range(100):
            silent = stack.enter_context(connected(abused, tls=bool(number % 2)))
            if number % 2:
                silent.sendall(PREFACE + SETTINGS)
        require_served(abused)


def test_half_a_message_keeps_nobody_waiting(abused: Abused) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            half = stack.enter_context(connected(abused))
            half.sendall(PREFACE + SETTINGS + frame(0, b"\x00\x00\x00\x01\x00partial"))
        require_served(abused)
