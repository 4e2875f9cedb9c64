from __future__ import annotations

import pytest
from pydantic import ValidationError

from strongroom_service.config.rates import Rates
from strongroom_service.domain.rates import RateScope, RpcClass, Window


def test_nothing_said_is_not_unlimited() -> None:
    windows = Rates().by_scope()
    assert all(windows[scope][rpc_class] for scope in RateScope for rpc_class in RpcClass)
    assert windows[RateScope.ACCOUNT][RpcClass.BEGIN] == (
        Window(count=30, seconds=60),
        Window(count=200, seconds=3_600),
    )
    assert windows[RateScope.PEER][RpcClass.COMPLETE] == (Window(count=600, seconds=60),)


def test_what_is_said_replaces_one_class_and_leaves_the_others() -> None:
    rates = Rates.model_validate({"account": {"complete": ["5/s", "100/10min", "200/h"]}})
    account = rates.by_scope()[RateScope.ACCOUNT]
    assert account[RpcClass.COMPLETE] == (
        Window(count=5, seconds=1),
        Window(count=100, seconds=600),
        Window(count=200, seconds=3_600),
    )
    assert account[RpcClass.BEGIN] == Rates().account.begin


@pytest.mark.parametrize(
    "windows",
    [
        [],
        "30/min",
        ["30"],
        ["30/day"],
        ["30 / min"],
        ["0/min"],
        ["-1/min"],
        ["030/min"],
        ["30/0min"],
        ["30/2h"],
        ["30/61min"],
        ["30/3601s"],
        ["1000001/min"],
        ["٣/min"],
        ["unlimited"],
        [30],
        [None],
        ["1/s"] * 5,
    ],
)
def test_anything_but_one_to_four_windows_of_an_hour_at_most_is_refused(windows: object) -> None:
    with pytest.raises(ValidationError):
        Rates.model_validate({"peer": {"read": windows}})


@pytest.mark.parametrize("table", [{"storage": "redis://rates"}, {"peer": {"write": ["1/s"]}}, {"max_keys": 0}])
def test_what_is_not_offered_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rates.model_validate(table)
