from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.policy import MAX_COOL_DOWN_SECONDS, OnExhaustion, Policy

ladders = st.lists(st.integers(0, MAX_COOL_DOWN_SECONDS), max_size=96).map(sorted).map(tuple)
policies = st.builds(
    Policy,
    budget=st.integers(1, 100),
    cool_down_seconds=ladders,
    on_exhaustion=st.sampled_from(OnExhaustion),
    releases_per_day=st.integers(1, 1_000),
    reset_grace_seconds=st.integers(86_400, 365 * 86_400),
)


@given(policies)
def test_cool_downs_never_shrink_while_failures_add_up(policy: Policy) -> None:
    ladder = [policy.cool_down_after(failures) for failures in range(policy.budget)]

    assert ladder == sorted(ladder)


@given(policies, st.integers(-5, 200))
def test_cool_down_is_always_a_rung_or_none(policy: Policy, failures: int) -> None:
    assert policy.cool_down_after(failures) in {0, *policy.cool_down_seconds}


@given(policies)
def test_every_rung_below_the_budget_is_reached_in_order(policy: Policy) -> None:
    reached = [policy.cool_down_after(failures) for failures in range(4, policy.budget)]

    assert reached[: len(policy.cool_down_seconds)] == list(policy.cool_down_seconds[: len(reached)])
