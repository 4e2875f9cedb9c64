from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.policy import DEFAULT_COOL_DOWN_SECONDS, OnExhaustion, Policy

DEFAULT = Policy(on_exhaustion=OnExhaustion.DESTROY)


def test_ladder_is_one_minute_to_one_day_after_failures_four_to_nine() -> None:
    ladder = [DEFAULT.cool_down_after(failures) for failures in range(1, 11)]

    assert ladder == [0, 0, 0, 60, 300, 900, 3_600, 28_800, 86_400, 0]


def test_ten_wrong_signatures_take_thirty_three_hours_by_default() -> None:
    assert (
        sum(DEFAULT.cool_down_after(failures) for failures in range(1, 10)) == 60 + 300 + 900 + 3_600 + 28_800 + 86_400
    )
    assert DEFAULT.releases_per_day == 20
    assert DEFAULT.reset_grace_seconds == 30 * 24 * 3_600


def test_last_rung_repeats_until_the_budget() -> None:
    policy = replace(DEFAULT, budget=12, cool_down_seconds=(5, 60))

    assert [policy.cool_down_after(failures) for failures in range(3, 14)] == [0, 5, *[60] * 7, 0, 0]


def test_ladder_ends_at_a_smaller_budget() -> None:
    policy = replace(DEFAULT, budget=5)

    assert [policy.cool_down_after(failures) for failures in range(3, 7)] == [0, 60, 0, 0]


def test_empty_ladder_means_no_cool_down() -> None:
    policy = replace(DEFAULT, cool_down_seconds=())

    assert not any(policy.cool_down_after(failures) for failures in range(20))


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ({"budget": 0}, {"budget": 1}),
        ({"budget": 101}, {"budget": 100}),
        ({"cool_down_seconds": (-1,)}, {"cool_down_seconds": (0,)}),
        ({"cool_down_seconds": (7 * 86_400 + 1,)}, {"cool_down_seconds": (7 * 86_400,)}),
        ({"cool_down_seconds": (60, 59)}, {"cool_down_seconds": (60, 60)}),
        ({"cool_down_seconds": (0,) * 97}, {"cool_down_seconds": (0,) * 96}),
        ({"releases_per_day": 0}, {"releases_per_day": 1}),
        ({"releases_per_day": 1_001}, {"releases_per_day": 1_000}),
        ({"reset_grace_seconds": 86_399}, {"reset_grace_seconds": 86_400}),
        ({"reset_grace_seconds": 365 * 86_400 + 1}, {"reset_grace_seconds": 365 * 86_400}),
    ],
)
def test_value_outside_its_rule_is_refused_by_name(
    fault: dict[str, int | tuple[int, ...]], accepted: dict[str, int | tuple[int, ...]]
) -> None:
    [field] = fault

    replace(DEFAULT, **accepted)  # type: ignore[arg-type]  # one field at a time, of its own type
    with pytest.raises(ValueError, match=f"^{field} must "):
        replace(DEFAULT, **fault)  # type: ignore[arg-type]  # as above


def test_all_broken_rules_are_told_together() -> None:
    with pytest.raises(ValueError, match=r"budget must .*; cool_down_seconds must .*; releases_per_day must "):
        Policy(budget=0, cool_down_seconds=(-1,), on_exhaustion=OnExhaustion.LOCK, releases_per_day=0)


def test_what_happens_on_exhaustion_must_be_stated() -> None:
    with pytest.raises(TypeError, match="on_exhaustion"):
        Policy(budget=10, cool_down_seconds=DEFAULT_COOL_DOWN_SECONDS)  # type: ignore[call-arg]  # the point of the test
