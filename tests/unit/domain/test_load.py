from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.load import has_room, is_fair
from strongroom_service.domain.rates import RpcClass

SLOTS = st.integers(min_value=1, max_value=10_000)


@pytest.mark.parametrize(
    ("rpc_class", "slots", "most"),
    [
        (RpcClass.READ, 256, 128),
        (RpcClass.BEGIN, 256, 192),
        (RpcClass.COMPLETE, 256, 256),
        (RpcClass.READ, 1, 1),
        (RpcClass.BEGIN, 1, 1),
        (RpcClass.COMPLETE, 1, 1),
        (RpcClass.READ, 3, 2),
    ],
)
def test_reads_are_shed_first_and_completions_last(rpc_class: RpcClass, slots: int, most: int) -> None:
    assert [has_room(rpc_class, in_use=in_use, slots=slots) for in_use in (most - 1, most)] == [True, False]


@given(slots=SLOTS, data=st.data())
def test_what_has_no_room_for_a_read_may_have_some_for_a_completion_and_never_the_reverse(
    slots: int, data: st.DataObject
) -> None:
    in_use = data.draw(st.integers(min_value=0, max_value=slots))
    read, begin, complete = (has_room(each, in_use=in_use, slots=slots) for each in RpcClass)
    assert read <= begin <= complete
    assert complete == (in_use < slots)


def hold_as_much_as_possible(tenants: int, *, slots: int) -> list[int]:
    held = [0] * tenants
    while True:
        taken = False
        for tenant in range(tenants):
            if sum(held) < slots and is_fair(held[tenant], in_use=sum(held), slots=slots):
                held[tenant] += 1
                taken = True
        if not taken:
            return held


@pytest.mark.parametrize(("tenants", "each"), [(1, 192), (2, 110), (3, 77), (10, 25)])
def test_greedy_ones_get_equal_shares_and_leave_some(tenants: int, each: int) -> None:
    held = hold_as_much_as_possible(tenants, slots=256)
    assert all(abs(one - each) <= 1 for one in held)
    assert sum(held) < 256


@given(slots=SLOTS, data=st.data())
def test_who_holds_nothing_is_always_treated_fairly_while_there_is_a_slot(slots: int, data: st.DataObject) -> None:
    in_use = data.draw(st.integers(min_value=0, max_value=slots - 1))
    assert is_fair(0, in_use=in_use, slots=slots)


@given(slots=st.integers(min_value=10, max_value=300), tenants=st.integers(min_value=1, max_value=3))
def test_few_greedy_ones_never_take_the_last_slot(slots: int, tenants: int) -> None:
    assert sum(hold_as_much_as_possible(tenants, slots=slots)) < slots


def test_three_times_what_is_free_is_the_most() -> None:
    assert [is_fair(held, in_use=254, slots=256) for held in (5, 6)] == [True, False]
