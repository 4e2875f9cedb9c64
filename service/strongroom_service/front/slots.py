"""The slots that calls hold while they are under way, and who is told to wait when there are not enough."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.load import ShedBecause, has_room, is_fair

if TYPE_CHECKING:
    from strongroom_service.domain.rates import RpcClass
    from strongroom_service.telemetry.metrics import Metrics


class Slot:
    """One call's; given back once."""

    __slots__ = ("_peer", "_slots", "_tenant")

    def __init__(self, slots: Slots, peer: str) -> None:
        self._slots = slots
        self._peer = peer
        self._tenant: str | None = None

    def charge(self, tenant: str) -> None:
        """Be told whose call it is, once that is known.

        Raises:
            Refusal: BUSY, as the tenant's other calls hold too many.
        """
        self._slots.charge(tenant)
        self._tenant = tenant

    def give_back(self) -> None:
        """Make room for another call."""
        self._slots.release(self._peer, self._tenant)


class Slots:
    """All slots of a front. For one event loop. Health checks hold none."""

    def __init__(self, count: int, *, metrics: Metrics) -> None:
        self._count = count
        self._metrics = metrics
        self._in_use = 0
        self._by_peer: Counter[str] = Counter()
        self._by_tenant: Counter[str] = Counter()
        metrics.slots_in_use.set_function(lambda: self._in_use)

    def take(self, rpc_class: RpcClass, peer: str) -> Slot:
        """Return a slot for a call of `peer`.

        Raises:
            Refusal: BUSY.
        """
        if not has_room(rpc_class, in_use=self._in_use, slots=self._count):
            raise self._shed(ShedBecause.CLASS, f"{self._in_use} calls at once")
        if not is_fair(self._by_peer[peer], in_use=self._in_use, slots=self._count):
            raise self._shed(ShedBecause.PEER, f"{self._by_peer[peer]} of {self._in_use} calls at once are the peer's")
        self._in_use += 1
        self._by_peer[peer] += 1
        return Slot(self, peer)

    def charge(self, tenant: str) -> None:
        """Count a slot that is in use as this tenant's too. Raises as `take`."""
        held = self._by_tenant[tenant]
        if not is_fair(held, in_use=self._in_use - 1, slots=self._count):  # as if the call had none yet
            raise self._shed(ShedBecause.TENANT, f"{held} of {self._in_use} calls at once are the tenant's")
        self._by_tenant[tenant] += 1

    def release(self, peer: str, tenant: str | None) -> None:
        """Count one less; what is at zero is forgotten."""
        self._in_use -= 1
        _count_down(self._by_peer, peer)
        if tenant is not None:
            _count_down(self._by_tenant, tenant)

    def _shed(self, because: ShedBecause, detail: str) -> Refusal:
        self._metrics.requests_shed[because].inc()
        return Refusal(Reason.BUSY, detail=detail)


def _count_down(counter: Counter[str], who: str) -> None:
    counter[who] -= 1
    if not counter[who]:
        del counter[who]
