"""TenantService: each RPC admits the tenant, decodes, calls one use case, encodes."""

# ruff: noqa: N802  the names of the proto's RPCs

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from strongroom.v1 import tenant_service_pb2 as pb
from strongroom.v1.tenant_service_pb2_grpc import TenantServiceServicer
from strongroom_service.application.tenant_feed import list_tenant_events
from strongroom_service.front import codec
from strongroom_service.front.guard import TENANT_SERVICE_NAME, Call, Guard, guarded
from strongroom_service.tokens.tenant_tokens import TenantScope

if TYPE_CHECKING:
    from strongroom_service.application.attempt import Attempts
    from strongroom_service.application.keepers import Completion, Keeper, SignedReply
    from strongroom_service.application.stores import FeedStore
    from strongroom_service.front.caller import TenantAdmission
    from strongroom_service.front.rates import Rates


Order = TypeVar("Order", pb.EraseAccountRequest, pb.CancelEraseAccountRequest)


class TenantServicer(TenantServiceServicer):
    """What a tenant may ask for itself."""

    service = TENANT_SERVICE_NAME

    def __init__(
        self,
        *,
        guard: Guard,
        admission: TenantAdmission,
        rates: Rates,
        keeper: Keeper,
        feed: FeedStore,
        attempts: Attempts,
    ) -> None:
        self.guard = guard
        self._admission = admission
        self._rates = rates
        self._keeper = keeper
        self._feed = feed
        self._attempts = attempts

    @guarded
    async def ListTenantEvents(self, request: pb.ListTenantEventsRequest, call: Call) -> pb.ListTenantEventsResponse:
        """See the proto."""
        who = self._admission.admit(call.metadata, scope=TenantScope.FEED, request_id=call.request_id)
        call.slot.charge(who.tenant)
        await self._rates.check_tenant(call.method, tenant=who.tenant)
        signed = await list_tenant_events(
            who.caller,
            nonce=codec.nonce_of(request),
            cursor=codec.cursor_of(request),
            keeper=self._keeper,
            store=self._feed,
        )
        return codec.signed_response(pb.ListTenantEventsResponse, signed)

    @guarded
    async def EraseAccount(self, request: pb.EraseAccountRequest, call: Call) -> pb.EraseAccountResponse:
        """See the proto."""
        signed = await self._order(request, call, codec.erasure_of)
        return codec.signed_response(pb.EraseAccountResponse, signed)

    @guarded
    async def CancelEraseAccount(
        self, request: pb.CancelEraseAccountRequest, call: Call
    ) -> pb.CancelEraseAccountResponse:
        """See the proto."""
        signed = await self._order(request, call, codec.erasure_cancel_of)
        return codec.signed_response(pb.CancelEraseAccountResponse, signed)

    async def _order(self, request: Order, call: Call, completion_of: Callable[[Order], Completion]) -> SignedReply:
        # The token first, so that strangers learn nothing of their fields.
        who = self._admission.admit(call.metadata, scope=TenantScope.ERASE, request_id=call.request_id)
        call.slot.charge(who.tenant)
        await self._rates.check_tenant(call.method, tenant=who.tenant)
        account, completion = codec.account_of(request), completion_of(request)
        caller = replace(who.caller, account=account)
        record_id = self._admission.record_id(who.tenant, account)
        return await self._attempts.complete(caller, record_id=record_id, completion=completion)
