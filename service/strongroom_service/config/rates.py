"""The vault file's `[rates]`: how many requests of each class one front takes from a peer, a tenant and an account.

Every class of every scope has a window: there is no way to write "unlimited".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from strongroom_service.config.faults import Section
from strongroom_service.config.redis import RedisCounts
from strongroom_service.domain.rates import RateScope, RpcClass, Window

_NOTATION: Final = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,3})?(s|min|h)", re.ASCII)
_UNIT_SECONDS: Final = {"s": 1, "min": 60, "h": 3_600}
_MAX_COUNT: Final = 1_000_000
# Counts live in memory and end with the process: a longer window would promise what a restart breaks.
_MAX_SECONDS: Final = 3_600


def _window(value: Any) -> Window:  # noqa: ANN401  not checked yet: that is its task
    if isinstance(value, Window):  # a default
        return value
    found = _NOTATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        message = 'must be a count, a slash and a time of s, min or h, such as "30/min" or "100/10min"'
        raise ValueError(message)
    count, seconds = int(found[1]), int(found[2] or 1) * _UNIT_SECONDS[found[3]]
    if count > _MAX_COUNT or seconds > _MAX_SECONDS:
        message = f"must be at most {_MAX_COUNT} requests, in a window of at most 1 h"
        raise ValueError(message)
    return Window(count=count, seconds=seconds)


Windows = Annotated[
    tuple[Annotated[Window, BeforeValidator(_window)], ...], Field(min_length=1, max_length=4, strict=False)
]
"""Windows that hold at once."""


def _per_minute(count: int) -> Window:
    return Window(count=count, seconds=60)


def _per_hour(count: int) -> Window:
    return Window(count=count, seconds=3_600)


class ScopeRates(Section):
    """Windows for each class of RPCs."""

    read: Windows
    begin: Windows
    complete: Windows

    def by_class(self) -> Mapping[RpcClass, tuple[Window, ...]]:
        """Return the windows of every class."""
        return {RpcClass.READ: self.read, RpcClass.BEGIN: self.begin, RpcClass.COMPLETE: self.complete}


class PeerRates(ScopeRates):
    """Of one IPv4 address or IPv6 /64, whoever calls from there; generous, as many users may share an address."""

    read: Windows = Field(default=(_per_minute(600),), description="GetServiceInfo, GetVault, ListEvents.")
    begin: Windows = Field(default=(_per_minute(600),), description="BeginCeremony.")
    complete: Windows = Field(default=(_per_minute(600),), description="What completes a ceremony.")


class TenantRates(ScopeRates):
    """Of one tenant, all its accounts together: one tenant's flood leaves room for the others."""

    read: Windows = Field(default=(_per_minute(60_000),), description="GetServiceInfo, GetVault, ListEvents.")
    begin: Windows = Field(default=(_per_minute(60_000),), description="BeginCeremony.")
    complete: Windows = Field(default=(_per_minute(60_000),), description="What completes a ceremony.")


class AccountRates(ScopeRates):
    """Of one account."""

    read: Windows = Field(
        default=(_per_minute(120), _per_hour(1_200)), description="GetServiceInfo, GetVault, ListEvents."
    )
    begin: Windows = Field(default=(_per_minute(30), _per_hour(200)), description="BeginCeremony.")
    complete: Windows = Field(default=(_per_minute(30), _per_hour(200)), description="What completes a ceremony.")


class Rates(Section):
    """Rates of one front, or of all that count in one Redis."""

    max_keys: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="Keys remembered per scope and window length; above that the one unused for longest is forgotten."
        " In Redis its own maxmemory takes that place.",
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=1_000,
        description="How many replicas share the load. Without Redis each takes its part of every tenant's windows, so"
        " that together they keep to them; a peer or an account, which mostly keeps to one replica, has whole windows"
        " at each.",
    )
    redis: RedisCounts | None = Field(
        default=None, description="Where fronts count together; without it each counts for itself, in memory."
    )
    peer: PeerRates = Field(default_factory=PeerRates, description="Of one address.")
    tenant: TenantRates = Field(default_factory=TenantRates, description="Of one tenant.")
    account: AccountRates = Field(default_factory=AccountRates, description="Of one account.")

    @model_validator(mode="after")
    def _divides_nothing_in_vain(self) -> Self:
        if self.redis is not None and self.replicas > 1:
            message = "replicas has no use with redis: what is counted together is not divided"
            raise ValueError(message)
        return self

    def by_scope(self) -> Mapping[RateScope, Mapping[RpcClass, tuple[Window, ...]]]:
        """Return the windows of every class of every scope."""
        return {
            RateScope.PEER: self.peer.by_class(),
            RateScope.TENANT: {
                rpc_class: tuple(self._part_of(window) for window in windows)
                for rpc_class, windows in self.tenant.by_class().items()
            },
            RateScope.ACCOUNT: self.account.by_class(),
        }

    def _part_of(self, window: Window) -> Window:
        """One replica's part, rounded down so that all together stay within the whole; never less than one request."""
        return Window(count=max(1, window.count // self.replicas), seconds=window.seconds)
