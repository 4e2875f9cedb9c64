"""Rate limits: which RPC counts how, the port to what counts, and the refusal of what is too much.

Two checks per call. The peer's comes before anything costly, above all before the token's signature is verified: floods
of garbage are cheap. The account's and the tenant's come once the token holds: nobody spends another's allowance.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.domain.errors import Misconfigured, RatesUnavailable, Reason, Refusal
from strongroom_service.domain.rates import RateScope, RpcClass, Window
from strongroom_service.telemetry.metrics import RpcMethod

if TYPE_CHECKING:
    from strongroom_service.domain.identifiers import RecordId
    from strongroom_service.front.guard import Log
    from strongroom_service.telemetry.metrics import Metrics

_VAULT_SERVICE: Final = {
    "GetServiceInfo": RpcClass.READ,
    "GetVault": RpcClass.READ,
    "ListEvents": RpcClass.READ,
    "BeginCeremony": RpcClass.BEGIN,
    "CompleteRegistration": RpcClass.COMPLETE,
    "StoreEnvelope": RpcClass.COMPLETE,
    "ReleaseEnvelope": RpcClass.COMPLETE,
    "DeleteVault": RpcClass.COMPLETE,
    "AddCredential": RpcClass.COMPLETE,
    "RemoveCredential": RpcClass.COMPLETE,
    "SetRecovery": RpcClass.COMPLETE,
    "Reopen": RpcClass.COMPLETE,
    "LiftQuarantine": RpcClass.COMPLETE,
    "SetPolicy": RpcClass.COMPLETE,
    "ResetVault": RpcClass.COMPLETE,
}
_TENANT_SERVICE: Final = {
    "ListTenantEvents": RpcClass.READ,
    "EraseAccount": RpcClass.COMPLETE,
    "CancelEraseAccount": RpcClass.COMPLETE,
}
RPC_CLASSES: Final = {
    RpcMethod(service, method): rpc_class
    for service, classes in {
        "strongroom.v1.VaultService": _VAULT_SERVICE,
        "strongroom.v1.TenantService": _TENANT_SERVICE,
    }.items()
    for method, rpc_class in classes.items()
}
"""Every RPC of every service but health: one that is not here would be served without limit, so nothing starts."""


_MOST_REMEMBERED: Final = 10_000
_NEVER_FULL: Final = (0.0, Window(count=0, seconds=0))


def require_classes(methods: Iterable[RpcMethod]) -> None:
    """Refuse methods that nobody thought about.

    Raises:
        Misconfigured: one of them has no class.
    """
    missing = sorted(f"{rpc.service}/{rpc.method}" for rpc in set(methods) - RPC_CLASSES.keys())
    if missing:
        raise Misconfigured(f"no rate class for {', '.join(missing)}: state one in RPC_CLASSES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A window without room, and how long until it has some."""

    window: Window
    wait_seconds: float


class RateStore(Protocol):
    """Counts requests. One that is asked over a network answers, or raises, within a time of its own."""

    async def take(self, key: str, windows: Sequence[Window]) -> Full | None:
        """Count one request of `key` in each window; if any is full, in none, and return the one full for longest.

        Never are more than a window's `count` counted in any span of its `seconds`, while the key is remembered.

        Raises:
            RatesUnavailable: it cannot say.
        """


class Rates:
    """Refuses what is too much."""

    def __init__(
        self,
        *,
        methods: Iterable[RpcMethod],
        windows: Mapping[RateScope, Mapping[RpcClass, Sequence[Window]]],
        stores: Mapping[RateScope, RateStore],
        clock: Callable[[], float],
        metrics: Metrics,
        log: Log,
    ) -> None:
        """`stores` may be one for all scopes: keys say the scope. `clock` returns seconds and never goes back.

        Raises:
            Misconfigured: a method of `methods` has no class.
        """
        require_classes(methods)
        self._windows = windows
        self._stores = stores
        self._clock = clock
        # Until when a window is full that was found so: time alone makes room in it. A flood asks no store again.
        self._full: OrderedDict[str, tuple[float, Window]] = OrderedDict()
        self._metrics = metrics
        self._log = log

    def replace_windows(self, windows: Mapping[RateScope, Mapping[RpcClass, Sequence[Window]]]) -> None:
        """Go by these windows from now on. One of a new length, or of a new count in Redis, begins empty."""
        self._windows = windows
        self._full.clear()

    async def check_peer(self, method: RpcMethod, peer: str) -> None:
        """Count a call from `peer`, a `peer_key`.

        Raises:
            Refusal: RATE_LIMITED.
            RatesUnavailable: the store cannot say, and the call is more than a read.
        """
        await self._check(RateScope.PEER, method, peer)

    async def check_caller(self, method: RpcMethod, *, tenant: str, record_id: RecordId) -> None:
        """Count a call whose token holds. Raises as `check_peer`."""
        # The account first: else one account, refused again and again, would use up what all of its tenant have.
        await self._check(RateScope.ACCOUNT, method, record_id.hex())
        await self._check(RateScope.TENANT, method, tenant)

    async def check_tenant(self, method: RpcMethod, *, tenant: str) -> None:
        """Count a call of a tenant itself. Raises as `check_peer`."""
        await self._check(RateScope.TENANT, method, tenant)

    async def _check(self, scope: RateScope, method: RpcMethod, who: str) -> None:
        rpc_class = RPC_CLASSES[method]
        key = f"{scope.value}:{rpc_class.value}:{who}"
        full_until, window = self._full.get(key, _NEVER_FULL)
        now = self._clock()
        if now < full_until:
            raise self._refusal(scope, rpc_class, window, full_until - now)
        try:
            full = await self._stores[scope].take(key, self._windows[scope][rpc_class])
        except RatesUnavailable as error:
            # Closed for releases: a thief of the store's cable must not get them unlimited. A ceremony begun now could
            # not be completed, so a user is spared its prompt.
            if rpc_class is not RpcClass.READ:
                raise
            self._log.error("rates_unavailable", scope=scope.value, why=str(error))
            return
        if full is not None:
            self._full[key] = self._clock() + full.wait_seconds, full.window
            self._full.move_to_end(key)
            if len(self._full) > _MOST_REMEMBERED:
                self._full.popitem(last=False)
            raise self._refusal(scope, rpc_class, full.window, full.wait_seconds)

    def _refusal(self, scope: RateScope, rpc_class: RpcClass, window: Window, wait_seconds: float) -> Refusal:
        self._metrics.requests_limited[scope].inc()
        return Refusal(
            Reason.RATE_LIMITED,
            retry_after_ms=int(wait_seconds * 1_000) + 1,
            detail=f"{scope.value}: {rpc_class.value}, {window}",
        )
