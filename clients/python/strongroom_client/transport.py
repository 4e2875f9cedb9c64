"""The way to the vault: gRPC over TLS, an account token and a deadline on every call, no more than 64 KiB a message.

Only calls that change nothing are repeated by the channel. A completion is repeated by its flow, which knows how long
its ceremony lives.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import Message

from strongroom.v1 import tenant_service_pb2_grpc, vault_service_pb2_grpc
from strongroom_client.account_tokens import AccountTokenSource
from strongroom_client.errors import AccountTokenMissing, DeviceError
from strongroom_client.rpc_errors import translate
from strongroom_client.steps import TENANT_RPCS, Rpc

MAX_MESSAGE_BYTES = 64 * 1024
DEADLINE_SECONDS = 10.0
_SERVICE = "strongroom.v1.VaultService"
_TENANT_SERVICE = "strongroom.v1.TenantService"
_REPEATED = (Rpc.GET_SERVICE_INFO, Rpc.GET_VAULT, Rpc.LIST_EVENTS, Rpc.BEGIN_CEREMONY)
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    *({"service": _SERVICE, "method": rpc.value} for rpc in _REPEATED),
                    {"service": _TENANT_SERVICE, "method": Rpc.LIST_TENANT_EVENTS.value},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    # CANCELLED: a replica that was told to stop never came to the call.
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ]
    }
)
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the vault is.

    Attributes:
        target: host and port, or whatever names the replicas to gRPC: dns:///name:port, ipv4:address:port,address:port.
        server_name: what the certificate must name, where the target does not say it; empty: what the target says.
        root_certificates: PEM file of the CAs to believe; None for the system's.
        insecure: no TLS at all, so that anybody between reads the account token; for tests only.
        deadline_seconds: how long a call may take.
    """

    target: str
    server_name: str = ""
    root_certificates: Path | None = None
    insecure: bool = False
    deadline_seconds: float = DEADLINE_SECONDS


class Connection(Protocol):
    """Calls the vault."""

    def call(self, rpc: Rpc, request: Message) -> Message:
        """Return the response; raises VaultRefused or VaultTrouble."""

    def close(self) -> None:
        """Let the connection go."""


class AsyncConnection(Protocol):
    """Calls the vault, for asyncio."""

    async def call(self, rpc: Rpc, request: Message) -> Message:
        """Return the response; raises VaultRefused or VaultTrouble."""

    async def close(self) -> None:
        """Let the connection go."""


class GrpcConnection:
    """A channel of its own. Calls of a tenant's are made with the tenant's token, all others with the account's."""

    def __init__(
        self, address: Address, *, account_token: AccountTokenSource, tenant_token: AccountTokenSource | None = None
    ) -> None:
        credentials = _credentials(address)
        channel = (
            grpc.insecure_channel(address.target, options=_options(address))
            if credentials is None
            else grpc.secure_channel(address.target, credentials, options=_options(address))
        )
        self._channel = channel
        self._routes = _Routes(channel, account_token=account_token, tenant_token=tenant_token)
        self._deadline_seconds = address.deadline_seconds

    def call(self, rpc: Rpc, request: Message) -> Message:
        """Call the vault.

        Raises:
            VaultRefused, VaultTrouble: as its status says.
            AccountTokenMissing: there is no account token.
        """
        method, metadata = self._routes.to(rpc)
        try:
            response: Message = method(request, timeout=self._deadline_seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise translate(error) from None  # its text repeats what the server wrote, and its metadata the token
        return response

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class AsyncGrpcConnection:
    """As GrpcConnection, for asyncio. Made inside a running loop."""

    def __init__(
        self, address: Address, *, account_token: AccountTokenSource, tenant_token: AccountTokenSource | None = None
    ) -> None:
        credentials = _credentials(address)
        channel = (
            grpc.aio.insecure_channel(address.target, options=_options(address))
            if credentials is None
            else grpc.aio.secure_channel(address.target, credentials, options=_options(address))
        )
        self._channel = channel
        self._routes = _Routes(channel, account_token=account_token, tenant_token=tenant_token)
        self._deadline_seconds = address.deadline_seconds

    async def call(self, rpc: Rpc, request: Message) -> Message:
        """Call the vault; raises as `GrpcConnection.call`."""
        method, metadata = self._routes.to(rpc)
        try:
            response: Message = await method(request, timeout=self._deadline_seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise translate(error) from None
        return response

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _options(address: Address) -> tuple[tuple[str, str | int], ...]:
    return (*_OPTIONS, ("grpc.default_authority", address.server_name)) if address.server_name else _OPTIONS


def _credentials(address: Address) -> grpc.ChannelCredentials | None:
    if address.insecure:
        return None
    if address.root_certificates is None:
        return grpc.ssl_channel_credentials()
    try:
        return grpc.ssl_channel_credentials(root_certificates=address.root_certificates.read_bytes())
    except OSError as error:
        raise DeviceError(f"the file of root certificates cannot be read: {error.strerror}") from error


class _Routes:
    """Which method an RPC is, and with whose token it is called."""

    def __init__(
        self,
        channel: grpc.Channel | grpc.aio.Channel,
        *,
        account_token: AccountTokenSource,
        tenant_token: AccountTokenSource | None,
    ) -> None:
        self._account = vault_service_pb2_grpc.VaultServiceStub(channel)
        self._tenant = tenant_service_pb2_grpc.TenantServiceStub(channel)
        self._account_token = account_token
        self._tenant_token = tenant_token

    def to(self, rpc: Rpc) -> tuple[Any, tuple[tuple[str, str], ...]]:
        """Return the method, whose types differ with the channel's, and the metadata.

        Raises:
            AccountTokenMissing: there is no token of that kind.
        """
        is_tenants = rpc in TENANT_RPCS
        token = self._tenant_token if is_tenants else self._account_token
        if token is None:
            raise AccountTokenMissing("this call needs a tenant token")
        method = getattr(self._tenant if is_tenants else self._account, rpc.value)
        return method, (("authorization", f"Bearer {token()}"),)
