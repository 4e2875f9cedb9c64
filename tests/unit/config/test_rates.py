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


@pytest.mark.parametrize(
    ("replicas", "window", "part"),
    [(1, "100/min", 100), (3, "100/min", 33), (3, "99/10s", 33), (3, "2/min", 1), (1000, "999/h", 1)],
)
def test_each_replica_takes_its_part_of_a_tenants_windows(replicas: int, window: str, part: int) -> None:
    rates = Rates.model_validate({"replicas": replicas, "tenant": {"begin": [window]}})
    assert [each.count for each in rates.by_scope()[RateScope.TENANT][RpcClass.BEGIN]] == [part]


def test_peers_and_accounts_have_whole_windows_at_each_replica() -> None:
    rates, alone = Rates.model_validate({"replicas": 3}).by_scope(), Rates().by_scope()
    assert rates[RateScope.PEER] == alone[RateScope.PEER]
    assert rates[RateScope.ACCOUNT] == alone[RateScope.ACCOUNT]
    assert rates[RateScope.TENANT] != alone[RateScope.TENANT]


def test_what_is_counted_together_is_not_divided() -> None:
    with pytest.raises(ValidationError, match="replicas has no use with redis"):
        Rates.model_validate({"replicas": 3, "redis": {"url": "redis://localhost"}}, context={"folder": None})
