from __future__ import annotations

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.child import ChildSpec
from strongroom_service.link.separation import check_separation


def spec(name: str, uid: int | None, gid: int | None = 900) -> ChildSpec:
    return ChildSpec(name=name, argv=["/bin/true"], uid=uid, gid=gid)


def check(*, keeper: ChildSpec, front: ChildSpec, own_uid: int, single_user: bool = False) -> None:
    check_separation(keepers=[keeper], front=front, own_uid=own_uid, single_user=single_user)


def test_root_with_two_other_user_ids_is_fit() -> None:
    check(keeper=spec("keeper", 901), front=spec("front", 902), own_uid=0)


@pytest.mark.parametrize(
    ("keeper", "front", "own_uid"),
    [
        pytest.param(spec("keeper", 901), spec("front", 901), 0, id="one user id for both"),
        pytest.param(spec("keeper", None), spec("front", 902), 0, id="keeper as root"),
        pytest.param(spec("keeper", 901), spec("front", None), 0, id="front as root"),
        pytest.param(spec("keeper", 901), spec("front", 0), 0, id="front as root, spelled out"),
        pytest.param(spec("keeper", 901, None), spec("front", 902), 0, id="keeper keeps root's group"),
        pytest.param(spec("keeper", None), spec("front", None), 900, id="not root, both our own"),
        pytest.param(spec("keeper", 901), spec("front", 902), 900, id="not root, cannot change"),
    ],
)
def test_processes_that_could_read_each_other_are_refused(keeper: ChildSpec, front: ChildSpec, own_uid: int) -> None:
    with pytest.raises(Misconfigured):
        check(keeper=keeper, front=front, own_uid=own_uid)


def test_single_user_lets_all_run_as_one() -> None:
    check(keeper=spec("keeper", None), front=spec("front", None), own_uid=900, single_user=True)
    check(keeper=spec("keeper", None), front=spec("front", None), own_uid=0, single_user=True)


def test_single_user_gives_no_ids_that_we_cannot_give() -> None:
    with pytest.raises(Misconfigured):
        check(keeper=spec("keeper", 901), front=spec("front", None), own_uid=900, single_user=True)
