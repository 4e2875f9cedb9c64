"""The vault in this process as its tenant sees it: a feed in pages, and erasures that wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.protobuf.message import Message

from strongroom.v1 import event_pb2, tenant_service_pb2
from strongroom_client.errors import ErasurePending, NoErasurePending
from strongroom_client.steps import Rpc
from tests.fakes.vault import GRACE_MS, NOW, TENANT, FakeVault
from tests.fakes.vault_keys import timestamp


@dataclass
class FakeTenantVault(FakeVault):
    """Implements the client's Connection for tenants too. `feed` are accounts, one event each."""

    feed: list[str] = field(default_factory=list)
    events_per_page: int = 2
    erasures: dict[str, int] = field(default_factory=dict)
    answered: dict[bytes, Message] = field(default_factory=dict)

    def call(self, rpc: Rpc, request: Message) -> Message:
        match request:
            case tenant_service_pb2.ListTenantEventsRequest():
                self.calls.append(rpc)
                return self.page(request)
            case tenant_service_pb2.EraseAccountRequest() | tenant_service_pb2.CancelEraseAccountRequest():
                self.calls.append(rpc)
                if request.nonce not in self.answered:
                    self.answered[request.nonce] = self._change(request)
                return self.answered[request.nonce]
        return super().call(rpc, request)

    def page(self, request: tenant_service_pb2.ListTenantEventsRequest) -> tenant_service_pb2.ListTenantEventsResponse:
        """A page of the feed."""
        start = int.from_bytes(request.cursor, "big") if request.cursor else 0
        end = min(start + self.events_per_page, len(self.feed))
        reply = tenant_service_pb2.ListTenantEventsReply(
            tenant=TENANT,
            events=[
                tenant_service_pb2.TenantEvent(
                    account=account,
                    version=1,
                    event_time=timestamp(NOW),
                    kind=event_pb2.EVENT_KIND_RELEASE,
                    outcome=event_pb2.EVENT_OUTCOME_GRANTED,
                )
                for account in self.feed[start:end]
            ],
            next_cursor=end.to_bytes(8, "big"),
            more=end < len(self.feed),
        ).SerializeToString()
        receipt = self.keys.receipt(
            "list-tenant-events", challenge=request.nonce, reply=reply, version=0, head=bytes(32)
        )
        return tenant_service_pb2.ListTenantEventsResponse(reply=reply, receipt=receipt)

    def _change(
        self, request: tenant_service_pb2.EraseAccountRequest | tenant_service_pb2.CancelEraseAccountRequest
    ) -> Message:
        if isinstance(request, tenant_service_pb2.EraseAccountRequest):
            if request.account in self.erasures:
                raise ErasurePending("ERASURE_PENDING")
            self.erasures[request.account] = self.now + GRACE_MS
            reply = tenant_service_pb2.EraseAccountReply(
                account=request.account, erase_time=timestamp(self.now + GRACE_MS)
            ).SerializeToString()
            receipt = self.receipt("erase-account", challenge=request.nonce, reply=reply)
            return tenant_service_pb2.EraseAccountResponse(reply=reply, receipt=receipt)
        if self.erasures.pop(request.account, None) is None:
            raise NoErasurePending("NO_ERASURE_PENDING")
        reply = tenant_service_pb2.CancelEraseAccountReply(account=request.account).SerializeToString()
        receipt = self.receipt("cancel-erase-account", challenge=request.nonce, reply=reply)
        return tenant_service_pb2.CancelEraseAccountResponse(reply=reply, receipt=receipt)
