"""VaultService as connectrpc wants it: every method hands its call to gRPC's servicer, which knows no other way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from strongroom.v1.vault_service_connect import VaultService, VaultServiceASGIApplication
from strongroom_service.front.browser.codecs import BinaryCodec, JsonCodec
from strongroom_service.front.browser.context import ConnectContext
from strongroom_service.front.guard import RPC_METHODS, SERVICE_NAME
from strongroom_service.front.servicer import VaultServicer

if TYPE_CHECKING:
    from connectrpc.request import RequestContext

    from strongroom_service.front.calls import CallContext

PATHS: Final = tuple(f"/{SERVICE_NAME}/{rpc.method}" for rpc in RPC_METHODS if rpc.service == SERVICE_NAME)
"""Where its methods are."""

Request = TypeVar("Request")
Response = TypeVar("Response")


def _handed_to(
    method: Callable[[VaultServicer, Request, CallContext], Awaitable[Response]],
) -> Callable[[BrowserVault, Request, RequestContext[Request, Response]], Coroutine[Any, Any, Response]]:
    async def rpc(self: BrowserVault, request: Request, context: RequestContext[Request, Response], /) -> Response:
        return await method(self.servicer, request, ConnectContext(context))

    return rpc


class BrowserVault(VaultService):
    """The servicer's methods under Connect's names."""

    def __init__(self, servicer: VaultServicer) -> None:
        self.servicer = servicer

    get_service_info = _handed_to(VaultServicer.GetServiceInfo)
    get_vault = _handed_to(VaultServicer.GetVault)
    begin_ceremony = _handed_to(VaultServicer.BeginCeremony)
    complete_registration = _handed_to(VaultServicer.CompleteRegistration)
    store_envelope = _handed_to(VaultServicer.StoreEnvelope)
    release_envelope = _handed_to(VaultServicer.ReleaseEnvelope)
    delete_vault = _handed_to(VaultServicer.DeleteVault)
    add_credential = _handed_to(VaultServicer.AddCredential)
    remove_credential = _handed_to(VaultServicer.RemoveCredential)
    set_recovery = _handed_to(VaultServicer.SetRecovery)
    reopen = _handed_to(VaultServicer.Reopen)
    lift_quarantine = _handed_to(VaultServicer.LiftQuarantine)
    set_policy = _handed_to(VaultServicer.SetPolicy)
    reset_vault = _handed_to(VaultServicer.ResetVault)
    list_events = _handed_to(VaultServicer.ListEvents)


def connect_application(servicer: VaultServicer, *, max_request_bytes: int) -> VaultServiceASGIApplication:
    """Return what answers Connect and gRPC-Web; it takes no compressed messages, which could unpack to anything."""
    return VaultServiceASGIApplication(
        BrowserVault(servicer),
        read_max_bytes=max_request_bytes,
        compressions=(),
        codecs=(BinaryCodec(), JsonCodec()),
    )
