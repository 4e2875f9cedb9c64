"""The vault in this process behind a real gRPC server with TLS, with errors as the service tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import grpc
import trustme
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from strongroom.v1 import vault_service_pb2_grpc
from strongroom_client.errors import VaultRefused
from strongroom_client.steps import Rpc


class Calls(Protocol):
    """What answers: a FakeVault or a CheatingFront."""

    def call(self, rpc: Rpc, request: Message) -> Message:
        """Answer, or raise VaultRefused."""


@dataclass
class ToldStatus(Exception):
    """An RPC that ends with this status: code, and the details beside it."""

    code: grpc.StatusCode
    details: tuple[Message, ...] = ()


@dataclass
class ServedVault:
    """Where it is served, and what was seen of calls."""

    target: str
    root_certificates: Path
    tokens: list[str] = field(default_factory=list)
    deadlines: list[float | None] = field(default_factory=list)
    before: Callable[[Rpc], None] = lambda _: None


@contextmanager
def served(calls: Calls, folder: Path) -> Iterator[ServedVault]:
    """Serve `calls` at a free port of localhost."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    root_certificates = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(root_certificates))
    key, chain = certificate.private_key_pem.bytes(), b"".join(one.bytes() for one in certificate.cert_chain_pems)
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    # One address: a port that is free at ::1 may be taken at 127.0.0.1, and gRPC is content with one of them.
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    vault = ServedVault(target=f"localhost:{port}", root_certificates=root_certificates)
    vault_service_pb2_grpc.add_VaultServiceServicer_to_server(_servicer(calls, vault), server)
    server.start()
    try:
        yield vault
    finally:
        server.stop(grace=None).wait()


def _servicer(calls: Calls, vault: ServedVault) -> vault_service_pb2_grpc.VaultServiceServicer:
    def answering(rpc: Rpc) -> Callable[[object, Message, grpc.ServicerContext], Message]:
        def answer(_: object, request: Message, context: grpc.ServicerContext) -> Message:
            vault.tokens.append(str(dict(context.invocation_metadata()).get("authorization", "")))
            vault.deadlines.append(context.time_remaining())
            try:
                vault.before(rpc)
                return calls.call(rpc, request)
            except VaultRefused as refusal:
                info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain="strongroom")
                told = ToldStatus(grpc.StatusCode.FAILED_PRECONDITION, (info,))
            except ToldStatus as given:
                told = given
            status = status_pb2.Status(code=told.code.value[0], message="what the server wrote")
            for detail in told.details:
                packed = Any()
                packed.Pack(detail)
                status.details.append(packed)
            context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError(rpc)

        return answer

    methods = {rpc.value: answering(rpc) for rpc in Rpc}
    made: vault_service_pb2_grpc.VaultServiceServicer = type(
        "FakeServicer", (vault_service_pb2_grpc.VaultServiceServicer,), methods
    )()
    return made
