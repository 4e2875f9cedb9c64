"""What a tenant asks of the desk for itself: its feed, and the erasure of its accounts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import tenant_service_pb2
from tests.fakes.desk import Desk
from tests.fakes.tenant import FakeTenant

TENANT_TYPE = "strongroom-tenant+jwt"
ERASE = frames_pb2.OPERATION_ERASE_ACCOUNT
CANCEL = frames_pb2.OPERATION_CANCEL_ERASE_ACCOUNT


class Tenancy:
    """A tenant at the desk; its own by default."""

    def __init__(self, desk: Desk, tenant: FakeTenant | None = None) -> None:
        self.desk = desk
        self.tenant = tenant or desk.tenant

    def token(self, scope: str, *, typ: str | None = TENANT_TYPE, **claims: object) -> str:
        """A tenant token for ten minutes; `claims` of None are left out."""
        all_claims = {**self.tenant.claims(now=self.desk.clock.now()), "sub": None, "scope": scope, **claims}
        header = {"alg": "ES256", "kid": "ec", "typ": typ}
        return self.tenant.sign(_stated(header), _stated(all_claims))

    def judge_call(
        self,
        operation: frames_pb2.Operation.ValueType,
        account: str = "alice",
        *,
        nonce: bytes,
        token: str | None = None,
        row: frames_pb2.Row | None = None,
    ) -> frames_pb2.JudgeCall:
        caller = frames_pb2.TenantCaller(tenant_token=token or self.token("erase"), account=account)
        presented = row or self.desk.row(account)
        return frames_pb2.JudgeCall(tenant_caller=caller, row=presented, operation=operation, nonce=nonce)

    def order(
        self,
        operation: frames_pb2.Operation.ValueType,
        account: str = "alice",
        *,
        nonce: bytes | None = None,
        token: str | None = None,
    ) -> frames_pb2.SignedReply:
        """Judge, commit, fulfil."""
        call = self.judge_call(operation, account, nonce=os.urandom(32) if nonce is None else nonce, token=token)
        verdict = self.desk.call(frames_pb2.KeeperCall(judge=call)).judge
        if verdict.HasField("commit"):
            self.desk.store.commit(verdict.commit)
        fulfil = frames_pb2.FulfilCall(
            tenant_caller=call.tenant_caller, row=self.desk.row(account), operation=operation, nonce=call.nonce
        )
        return self.desk.call(frames_pb2.KeeperCall(fulfil=fulfil)).signed

    def feed_call(
        self, *, cursor: bytes = b"", events: Sequence[frames_pb2.FeedRow], token: str | None = None, more: bool = False
    ) -> frames_pb2.ListTenantEventsCall:
        return frames_pb2.ListTenantEventsCall(
            tenant_caller=frames_pb2.TenantCaller(tenant_token=token or self.token("feed")),
            nonce=os.urandom(32),
            cursor=cursor,
            events=events,
            more=more,
        )

    def ask(self, call: frames_pb2.ListTenantEventsCall) -> tenant_service_pb2.ListTenantEventsReply:
        signed = self.desk.call(frames_pb2.KeeperCall(list_tenant_events=call)).signed
        return tenant_service_pb2.ListTenantEventsReply.FromString(signed.reply)

    def page(self, cursor: bytes = b"", *, limit: int = 100) -> tenant_service_pb2.ListTenantEventsReply:
        """A page, as an honest front loads it."""
        after = int.from_bytes(cursor[:8], "big")
        later = [row for row in self.desk.store.feed if row.position > after]
        return self.ask(self.feed_call(cursor=cursor, events=later[:limit], more=len(later) > limit))


def _stated(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
