"""VaultService: each RPC admits its caller, decodes, calls one use case, encodes."""

# ruff: noqa: N802  the names of the proto's RPCs

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.vault_service_pb2_grpc import VaultServiceServicer
from strongroom_service.application.begin_ceremony import begin_ceremony
from strongroom_service.application.describe import describe_record, describe_service, list_events
from strongroom_service.front import codec
from strongroom_service.front.guard import SERVICE_NAME, Call, Guard, guarded

if TYPE_CHECKING:
    from strongroom.v1.resources_pb2 import SignedKeyBundle
    from strongroom_service.application.attempt import Attempts
    from strongroom_service.application.keepers import Completion, Keeper, SignedReply
    from strongroom_service.application.stores import RecordStore
    from strongroom_service.front.caller import Admission, Admitted
    from strongroom_service.front.rates import Rates

Request = TypeVar("Request")


class VaultServicer(VaultServiceServicer):
    """The vault for one account. Callers are admitted first, so that strangers learn nothing of their fields."""

    service = SERVICE_NAME

    def __init__(
        self,
        *,
        guard: Guard,
        admission: Admission,
        rates: Rates,
        keeper: Keeper,
        store: RecordStore,
        attempts: Attempts,
        owner_bundles: Callable[[], Sequence[SignedKeyBundle]],
    ) -> None:
        self.guard = guard
        self._admission = admission
        self._rates = rates
        self._keeper = keeper
        self._store = store
        self._attempts = attempts
        self._owner_bundles = owner_bundles

    @guarded
    async def GetServiceInfo(self, request: pb.GetServiceInfoRequest, call: Call) -> pb.GetServiceInfoResponse:
        """See the proto."""
        who = await self._admit(call)
        signed = await describe_service(who.caller, nonce=codec.nonce_of(request), keeper=self._keeper)
        response = codec.signed_response(pb.GetServiceInfoResponse, signed)
        response.owner_bundles.extend(self._owner_bundles())
        return response

    @guarded
    async def GetVault(self, request: pb.GetVaultRequest, call: Call) -> pb.GetVaultResponse:
        """See the proto."""
        who = await self._admit(call)
        nonce = codec.nonce_of(request)
        signed = await describe_record(
            who.caller, record_id=who.record_id, nonce=nonce, keeper=self._keeper, store=self._store
        )
        return codec.signed_response(pb.GetVaultResponse, signed)

    @guarded
    async def BeginCeremony(self, request: pb.BeginCeremonyRequest, call: Call) -> pb.BeginCeremonyResponse:
        """See the proto."""
        who = await self._admit(call)
        asked = codec.ceremony_request_of(request)
        begun = await begin_ceremony(
            who.caller, record_id=who.record_id, request=asked, keeper=self._keeper, store=self._store
        )
        return codec.begun_response(begun)

    @guarded
    async def CompleteRegistration(
        self, request: pb.CompleteRegistrationRequest, call: Call
    ) -> pb.CompleteRegistrationResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.registration_of)
        return codec.signed_response(pb.CompleteRegistrationResponse, signed)

    @guarded
    async def StoreEnvelope(self, request: pb.StoreEnvelopeRequest, call: Call) -> pb.StoreEnvelopeResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.store_of)
        return codec.signed_response(pb.StoreEnvelopeResponse, signed)

    @guarded
    async def ReleaseEnvelope(self, request: pb.ReleaseEnvelopeRequest, call: Call) -> pb.ReleaseEnvelopeResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.release_of)
        return codec.signed_response(pb.ReleaseEnvelopeResponse, signed)

    @guarded
    async def DeleteVault(self, request: pb.DeleteVaultRequest, call: Call) -> pb.DeleteVaultResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.delete_of)
        return codec.signed_response(pb.DeleteVaultResponse, signed)

    @guarded
    async def AddCredential(self, request: pb.AddCredentialRequest, call: Call) -> pb.AddCredentialResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.addition_of)
        return codec.signed_response(pb.AddCredentialResponse, signed)

    @guarded
    async def RemoveCredential(self, request: pb.RemoveCredentialRequest, call: Call) -> pb.RemoveCredentialResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.removal_of)
        return codec.signed_response(pb.RemoveCredentialResponse, signed)

    @guarded
    async def SetRecovery(self, request: pb.SetRecoveryRequest, call: Call) -> pb.SetRecoveryResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.recovery_change_of)
        return codec.signed_response(pb.SetRecoveryResponse, signed)

    @guarded
    async def Reopen(self, request: pb.ReopenRequest, call: Call) -> pb.ReopenResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.reopening_of)
        return codec.signed_response(pb.ReopenResponse, signed)

    @guarded
    async def LiftQuarantine(self, request: pb.LiftQuarantineRequest, call: Call) -> pb.LiftQuarantineResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.lift_of)
        return codec.signed_response(pb.LiftQuarantineResponse, signed)

    @guarded
    async def SetPolicy(self, request: pb.SetPolicyRequest, call: Call) -> pb.SetPolicyResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.policy_change_of)
        return codec.signed_response(pb.SetPolicyResponse, signed)

    @guarded
    async def ResetVault(self, request: pb.ResetVaultRequest, call: Call) -> pb.ResetVaultResponse:
        """See the proto."""
        signed = await self._complete(request, call, codec.reset_of)
        return codec.signed_response(pb.ResetVaultResponse, signed)

    @guarded
    async def ListEvents(self, request: pb.ListEventsRequest, call: Call) -> pb.ListEventsResponse:
        """See the proto."""
        who = await self._admit(call)
        nonce, page_token = codec.nonce_of(request), codec.page_token_of(request)
        signed = await list_events(
            who.caller,
            record_id=who.record_id,
            nonce=nonce,
            page_token=page_token,
            keeper=self._keeper,
            store=self._store,
        )
        return codec.signed_response(pb.ListEventsResponse, signed)

    async def _admit(self, call: Call) -> Admitted:
        who = self._admission.admit(call.metadata, request_id=call.request_id)
        call.slot.charge(who.tenant)
        await self._rates.check_caller(call.method, tenant=who.tenant, record_id=who.record_id)
        return who

    async def _complete(
        self, request: Request, call: Call, completion_of: Callable[[Request], Completion]
    ) -> SignedReply:
        who = await self._admit(call)
        completion = completion_of(request)
        return await self._attempts.complete(who.caller, record_id=who.record_id, completion=completion)
