"""Who calls: the request id and the account token in a call's metadata, and the record that the token speaks for."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom_service.application.keepers import Caller, TenantCaller
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.identifiers import RecordId, record_id_of

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Clock
    from strongroom_service.front.calls import Metadata
    from strongroom_service.tokens.account_tokens import AccountTokenVerifier
    from strongroom_service.tokens.tenant_tokens import TenantScope, TenantTokenVerifier

REQUEST_ID_KEY: Final = "x-request-id"
_AUTHORIZATION_KEY: Final = "authorization"
_SCHEME: Final = "bearer "  # RFC 9110 section 11.1: the scheme's case does not count
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REQUEST_ID_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller whose account token holds, and the record of that account."""

    caller: Caller
    tenant: str
    record_id: RecordId


@dataclass(frozen=True, slots=True)
class AdmittedTenant:
    """A tenant whose token holds."""

    caller: TenantCaller
    tenant: str


class TenantAdmission:
    """Checks tenant tokens for the front's own use. Keepers check again."""

    def __init__(self, *, verifier: TenantTokenVerifier, id_key: Callable[[], bytes], clock: Clock) -> None:
        """`id_key` as in `Admission`."""
        self._verifier = verifier
        self._id_key = id_key
        self._clock = clock

    def admit(self, metadata: Metadata, *, scope: TenantScope, request_id: str) -> AdmittedTenant:
        """Return which tenant calls.

        Raises:
            Refusal: TOKEN_REJECTED or SCOPE_MISSING.
        """
        token = _bearer_token(metadata)
        identity = self._verifier.verify(token, scope=scope, now=self._clock.now())
        return AdmittedTenant(TenantCaller(tenant_token=token, request_id=request_id), identity.tenant)

    def record_id(self, tenant: str, account: str) -> RecordId:
        """Return the id of the record of a tenant's account.

        Raises:
            KeeperUnavailable: no vault is open yet.
        """
        return record_id_of(id_key=self._id_key(), tenant=tenant, account=account)


class Admission:
    """Checks account tokens for the front's own use, so that strangers cost no keeper anything. Keepers check again."""

    def __init__(self, *, verifier: AccountTokenVerifier, id_key: Callable[[], bytes], clock: Clock) -> None:
        """`id_key` returns what record ids are derived with; it raises KeeperUnavailable while no vault is open."""
        self._verifier = verifier
        self._id_key = id_key
        self._clock = clock

    def admit(self, metadata: Metadata, *, request_id: str) -> Admitted:
        """Return who calls.

        Raises:
            Refusal: TOKEN_REJECTED.
            KeeperUnavailable: no vault is open yet.
        """
        token = _bearer_token(metadata)
        identity = self._verifier.verify(token, now=self._clock.now())
        record_id = record_id_of(id_key=self._id_key(), tenant=identity.tenant, account=identity.account)
        return Admitted(Caller(account_token=token, request_id=request_id), identity.tenant, record_id)


def request_id_of(metadata: Metadata) -> str:
    """Return the caller's request id if it has exactly one and it is fit for a log, else one of our own."""
    given = [value for key, value in metadata if key == REQUEST_ID_KEY]
    if len(given) == 1 and isinstance(given[0], str) and _REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return secrets.token_urlsafe(_REQUEST_ID_BYTES)


def _bearer_token(metadata: Metadata) -> str:
    given = [value for key, value in metadata if key == _AUTHORIZATION_KEY]
    # Of two headers a proxy in between may have checked the other one.
    if len(given) != 1:
        raise Refusal(Reason.TOKEN_REJECTED, detail=f"{len(given)} authorization headers")
    value = given[0]
    if not isinstance(value, str) or value[: len(_SCHEME)].lower() != _SCHEME:
        raise Refusal(Reason.TOKEN_REJECTED, detail="authorization is no bearer token")
    return value[len(_SCHEME) :]
