"""The bare baseline: the front's gRPC server, TLS and event loop, with answers of a release's sizes and nothing behind.

    python -m tests.bench.echo_server CONFIG_FILE PORT < the two responses, a line of hex each

Prints a line when it serves; ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop

from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.config.vault_file import VaultConfig, load_vault_config
from strongroom_service.front.guard import SERVICE_NAME
from strongroom_service.front.server import server_options
from strongroom_service.front.tls import ServerCertificate
from strongroom_service.telemetry.logs import get_logger


def echo_handler(*, begun: bytes, released: bytes) -> grpc.GenericRpcHandler:
    """Parses requests and serializes responses, as every server must; no guard, no token, no keeper, no store."""
    begin_response = pb.BeginCeremonyResponse.FromString(begun)
    release_response = pb.ReleaseEnvelopeResponse.FromString(released)

    async def begin(request: pb.BeginCeremonyRequest, context: object) -> pb.BeginCeremonyResponse:
        return begin_response

    async def release(request: pb.ReleaseEnvelopeRequest, context: object) -> pb.ReleaseEnvelopeResponse:
        return release_response

    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "BeginCeremony": grpc.unary_unary_rpc_method_handler(
            begin,
            request_deserializer=pb.BeginCeremonyRequest.FromString,
            response_serializer=pb.BeginCeremonyResponse.SerializeToString,
        ),
        "ReleaseEnvelope": grpc.unary_unary_rpc_method_handler(
            release,
            request_deserializer=pb.ReleaseEnvelopeRequest.FromString,
            response_serializer=pb.ReleaseEnvelopeResponse.SerializeToString,
        ),
    }
    return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)


async def _serve(config: VaultConfig, handler: grpc.GenericRpcHandler, *, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    certificate = ServerCertificate(
        certificate_file=config.listen.tls_certificate_file, key_file=config.listen.tls_key_file, log=get_logger()
    )
    server = grpc.aio.server(options=server_options(config.limits))
    server.add_generic_rpc_handlers((handler,))
    server.add_secure_port(f"localhost:{port}", certificate.credentials())
    await server.start()
    print("serving", flush=True)
    await stop.wait()
    await server.stop(1.0)


def main(config_file: str, port: str) -> None:
    """Serve until told to stop."""
    begun, released = (bytes.fromhex(sys.stdin.readline()) for _ in range(2))
    config = load_vault_config(Path(config_file))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, echo_handler(begun=begun, released=released), port=int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
