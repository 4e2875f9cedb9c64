"""What a vault's folder needs and is none of the vault's own: certificates, free ports, TOML tables."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.development.token import DevelopmentToken


def write_certificates(folder: Path) -> None:
    """Write ca.pem, and server.pem with server-key.pem (mode 0600) for this machine's own names."""
    authority = trustme.CA(organization_name="Strongroom development")
    certificate = authority.issue_cert("localhost", "127.0.0.1", "::1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for index, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "server.pem", append=index > 0)
    key_file = folder / "server-key.pem"
    os.close(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    certificate.private_key_pem.write_to_path(key_file)


def free_ports(count: int) -> list[int]:
    """Return so many TCP ports of 127.0.0.1 that nobody listens at now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def listen_table(port: int) -> dict[str, object]:
    """Return [listen] for a vault on this machine alone, with what `write_certificates` wrote."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "tls_certificate_file": "server.pem",
        "tls_key_file": "server-key.pem",
    }


def browser_table(port: int) -> dict[str, object]:
    """Return [browser] for pages on this machine: in plain text, which loopback alone may have."""
    return {"host": "127.0.0.1", "port": port, "plaintext": True}


def rate_tables(rates: Mapping[str, Mapping[str, object]]) -> dict[str, Mapping[str, object]]:
    """Return [rates.peer] and its siblings: `rates`, and where these say nothing, the highest that are taken."""
    roomy = {rpc_class: ["1000000/min"] for rpc_class in ("read", "begin", "complete")}
    tables = {scope: {**roomy, **rates.get(scope, {})} for scope in ("peer", "tenant", "account")}
    return {f"rates.{name}": table for name, table in {**rates, **tables}.items()}


def token_tables(token: DevelopmentToken) -> dict[str, Mapping[str, object]]:
    """Return the tables of strongroom.toml by which keepers find `token`."""
    return {
        "pkcs11": {
            "module_file": str(token.module_path),
            "token_label": token.label,
            "pin_file": str(token.pin_file),
        },
        "pkcs11.environment": {"SOFTHSM2_CONF": str(token.conf_path)},
    }


def toml_lines(table: Mapping[str, object]) -> str:
    """Return a table's lines, without its head: strings, numbers, booleans, lists of these."""
    # JSON's are TOML's.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())


def toml_text(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Return a file of tables by their names; that named "" comes first and has no head."""
    return "\n".join((f"[{name}]\n" if name else "") + toml_lines(table) for name, table in tables.items())
