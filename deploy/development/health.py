"""Asking a vault whether it serves, by the gRPC health protocol."""

from __future__ import annotations

from typing import Final

import grpc
from grpc_health.v1 import health_pb2

SERVICE: Final = "strongroom.v1.VaultService"
_PROBE_SECONDS: Final = 1.0


def is_serving(address: str, credentials: grpc.ChannelCredentials) -> bool:
    """Return whether the vault at `address` says that it serves."""
    with grpc.secure_channel(address, credentials) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=_PROBE_SECONDS)
        except grpc.RpcError:
            return False
    return reply.status == health_pb2.HealthCheckResponse.SERVING
