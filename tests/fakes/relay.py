"""A front between a client of any language and a running vault: passes bytes on, and cheats with some answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

import grpc

from deploy.development.environment import DevelopmentVault

Cheat: TypeAlias = Callable[[bytes], bytes | None]
"""Makes the serialized response that the client gets of the one that the vault gave; None where it gets none."""

_CALL_SECONDS = 20.0


@contextmanager
def relayed(vault: DevelopmentVault, cheats: Mapping[str, Cheat]) -> Iterator[str]:
    """Relay `vault` under its own certificate, answers of the RPCs named in `cheats` changed; yields host:port."""
    folder = vault.files.folder
    key, chain = (folder / "server-key.pem").read_bytes(), (folder / "server.pem").read_bytes()
    with grpc.secure_channel(vault.address, vault.channel_credentials()) as channel:
        server = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[_Relay(channel, cheats)])
        # One address: a port that is free at ::1 may be taken at 127.0.0.1, and gRPC is content with one of them.
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        try:
            yield f"localhost:{port}"
        finally:
            server.stop(grace=None).wait()


class _Relay(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel, cheats: Mapping[str, Cheat]) -> None:
        self._channel = channel
        self._cheats = cheats

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method
        metadata = tuple(one for one in handler_call_details.invocation_metadata if one[0] == "authorization")
        cheat = self._cheats.get(method.rpartition("/")[2])
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            given = call(request, timeout=_CALL_SECONDS, metadata=metadata)
            told = given if cheat is None else cheat(given)
            if told is None:
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
            return told

        return grpc.unary_unary_rpc_method_handler(answer)
