from __future__ import annotations

import pytest

from strongroom_service.domain.errors import Refusal
from strongroom_service.domain.rates import RpcClass
from strongroom_service.front.slots import Slot, Slots
from tests.fakes.metrics import make_metrics

COMPLETE, BEGIN, READ = RpcClass.COMPLETE, RpcClass.BEGIN, RpcClass.READ


class Bench:
    def __init__(self, count: int) -> None:
        self.metrics = make_metrics()
        self.slots = Slots(count, metrics=self.metrics)

    def take(self, rpc_class: RpcClass = COMPLETE, *, peer: str = "", tenant: str = "") -> Slot:
        """A slot of a peer of its own, unless one is named."""
        slot = self.slots.take(rpc_class, peer or f"peer-{self.in_use()}")
        if tenant:
            try:
                slot.charge(tenant)
            except Refusal:
                slot.give_back()
                raise
        return slot

    def take_all(self, rpc_class: RpcClass = COMPLETE, *, peer: str = "", tenant: str = "") -> list[Slot]:
        """As many as there are to be had."""
        slots = []
        while True:
            try:
                slots.append(self.take(rpc_class, peer=peer, tenant=tenant))
            except Refusal:
                return slots

    def in_use(self) -> float:
        return self.metrics.registry.get_sample_value("strongroom_slots_in_use") or 0

    def shed(self) -> dict[str, float | None]:
        name = "strongroom_requests_shed_total"
        reasons = ("class", "peer", "tenant")
        return {reason: self.metrics.registry.get_sample_value(name, {"reason": reason}) for reason in reasons}


def test_reads_and_begins_leave_room_for_completions() -> None:
    bench = Bench(100)
    assert len(bench.take_all(READ)) == 50
    assert len(bench.take_all(BEGIN)) == 25
    assert len(bench.take_all(COMPLETE)) == 25
    assert bench.shed() == {"class": 3, "peer": 0, "tenant": 0}


def test_slot_given_back_is_there_for_another() -> None:
    bench = Bench(10)
    slots = bench.take_all()
    assert bench.in_use() == len(slots) == 10
    slots.pop().give_back()
    bench.take()
    with pytest.raises(Refusal, match="BUSY"):
        bench.take()


def test_peer_that_takes_all_it_can_leaves_room_for_others() -> None:
    bench = Bench(100)
    assert len(bench.take_all(peer="greedy")) == 75
    bench.take(peer="modest")
    assert bench.shed() == {"class": 0, "peer": 1, "tenant": 0}


def test_tenant_that_takes_all_it_can_from_many_addresses_leaves_room_for_others() -> None:
    bench = Bench(100)
    assert len(bench.take_all(tenant="greedy")) == 75
    bench.take(tenant="modest")
    assert bench.shed() == {"class": 0, "peer": 0, "tenant": 1}


@pytest.mark.parametrize("rpc_class", RpcClass)
def test_only_slot_is_to_be_had_by_any_class(rpc_class: RpcClass) -> None:
    bench = Bench(1)
    slot = bench.take(rpc_class, tenant="notes")
    with pytest.raises(Refusal):
        bench.take(rpc_class, tenant="notes")
    slot.give_back()
    bench.take(rpc_class, tenant="notes")


def test_many_tenants_together_can_hold_all_slots() -> None:
    bench = Bench(100)
    held = [slot for number in range(200) for slot in bench.take_all(tenant=f"tenant-{number}")]
    assert len(held) == 100


def test_all_that_was_held_is_to_be_had_again() -> None:
    bench = Bench(100)
    for slot in bench.take_all(peer="greedy", tenant="greedy"):
        slot.give_back()
    assert bench.in_use() == 0
    assert len(bench.take_all(peer="other", tenant="other")) == 75


def test_call_whose_tenant_is_shed_gives_its_slot_back_as_its_peers_alone() -> None:
    bench = Bench(4)
    held = bench.take_all(tenant="greedy")
    in_use = bench.in_use()
    with pytest.raises(Refusal):
        bench.take(tenant="greedy")
    assert bench.in_use() == in_use == len(held)
