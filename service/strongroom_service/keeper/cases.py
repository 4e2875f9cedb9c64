"""From a call to its case: who asks is checked here, by the keeper itself, and what was presented is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.lives import without_due
from strongroom_service.keeper.case import Case, SweepCase
from strongroom_service.tokens.account_claims import check_account_name
from strongroom_service.tokens.account_tokens import RESET_SCOPE, AccountIdentity
from strongroom_service.tokens.tenant_tokens import TenantScope

if TYPE_CHECKING:
    from strongroom.keeper.v1 import frames_pb2
    from strongroom_service.config.tenant_file import Tenant, Tenants
    from strongroom_service.domain.clock import Clock, Millis
    from strongroom_service.keeper.opened_record import RecordOpener
    from strongroom_service.tokens.account_tokens import AccountTokenVerifier
    from strongroom_service.tokens.tenant_tokens import TenantTokenVerifier

_OF_THE_TENANT = frozenset({Operation.ERASE_ACCOUNT, Operation.CANCEL_ERASE_ACCOUNT})


class CaseReader:
    """Checks tokens and opens rows. The front's checks do not count here."""

    def __init__(
        self, *, tenants: Tenants, accounts: AccountTokenVerifier, tenant_tokens: TenantTokenVerifier, clock: Clock
    ) -> None:
        self._tenants = tenants
        self._accounts = accounts
        self._tenant_tokens = tenant_tokens
        self._clock = clock

    def of_account(
        self,
        call: frames_pb2.DescribeRecordCall | frames_pb2.BeginCall | frames_pb2.ListEventsCall,
        *,
        opener: RecordOpener,
    ) -> Case:
        """Return the case of an account that speaks for itself.

        Raises:
            Refusal: TOKEN_REJECTED.
            StaleRow, RecordRejected: as `RecordOpener.open`.
        """
        now = self._clock.now()
        identity = self._accounts.verify(call.account_token, now=now)
        return self._case(identity, call.row if call.HasField("row") else None, opener=opener, now=now)

    def of_change(
        self,
        call: frames_pb2.JudgeCall | frames_pb2.FulfilCall,
        *,
        operation: Operation,
        opener: RecordOpener,
    ) -> Case:
        """Return the case of a change, asked for by the account or, for some, by its tenant. Raises as `of_account`.

        Raises:
            Refusal: SCOPE_MISSING.
        """
        now = self._clock.now()
        if operation in _OF_THE_TENANT:
            identity = self._tenants_account(call.tenant_caller, now=now)
        else:
            identity = self._accounts.verify(call.account_token, now=now)
            if operation is Operation.RESET and RESET_SCOPE not in identity.scopes:
                raise Refusal(Reason.SCOPE_MISSING, detail=f"scope must include {RESET_SCOPE}")
        return self._case(identity, call.row if call.HasField("row") else None, opener=opener, now=now)

    def of_service(self, call: frames_pb2.DescribeServiceCall) -> tuple[Tenant, Millis]:
        """Return the tenant whose account asks about the service, and when. Raises as `of_account`."""
        now = self._clock.now()
        identity = self._accounts.verify(call.account_token, now=now)
        return self._tenant(identity.tenant), now

    def of_feed(self, caller: frames_pb2.TenantCaller) -> Tenant:
        """Return the tenant that asks for its feed. Raises as `of_change`."""
        identity = self._tenant_tokens.verify(caller.tenant_token, scope=TenantScope.FEED, now=self._clock.now())
        return self._tenant(identity.tenant)

    def of_sweep(self, row: frames_pb2.Row, *, opener: RecordOpener) -> SweepCase:
        """Return the case of a record that time alone is asked about. Raises as `RecordOpener.open_unasked`."""
        now = self._clock.now()
        record_id, opened = opener.open_unasked(row)
        record, swept = without_due(opened, now=now)
        return SweepCase(record_id=record_id, record=record, swept=swept, now=now)

    def _tenants_account(self, caller: frames_pb2.TenantCaller, *, now: Millis) -> AccountIdentity:
        identity = self._tenant_tokens.verify(caller.tenant_token, scope=TenantScope.ERASE, now=now)
        try:
            account = check_account_name(caller.account)
        except ValueError as error:
            raise InvalidField(field="account", rule=str(error)) from None
        return AccountIdentity(tenant=identity.tenant, account=account, scopes=frozenset(), expires_at=now)

    def _case(
        self, identity: AccountIdentity, row: frames_pb2.Row | None, *, opener: RecordOpener, now: Millis
    ) -> Case:
        tenant = self._tenant(identity.tenant)
        record_id = opener.record_id(identity.tenant, identity.account)
        opened = opener.open(row, record_id=record_id)
        record, swept = (None, ()) if opened is None else without_due(opened, now=now)
        return Case(identity=identity, tenant=tenant, record_id=record_id, record=record, swept=swept, now=now)

    def _tenant(self, name: str) -> Tenant:
        tenant = self._tenants.named(name)
        if tenant is None:
            raise Refusal(Reason.TOKEN_REJECTED, detail="the tenant is not configured")
        return tenant
