from __future__ import annotations

import pytest

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.child import ChildSpec
from strongroom_service.link.separation import check_front, check_keepers, check_separation


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


def test_keepers_alone_run_as_the_user_they_are_started_as_or_are_given() -> None:
    for own_uid in (0, 901):
        check_keepers(keepers=[spec("keeper", 901)], front_uid=902, own_uid=own_uid, single_user=False)
    check_keepers(keepers=[spec("keeper", None)], front_uid=None, own_uid=900, single_user=True)


@pytest.mark.parametrize(
    ("keeper", "front_uid", "own_uid", "why"),
    [
        pytest.param(spec("keeper", None), None, 901, "would admit nobody", id="no front named"),
        pytest.param(spec("keeper", None), 902, 0, "would run as root", id="as root"),
        pytest.param(spec("keeper", 901), 902, 902, "is to run under user id 901", id="as another user"),
    ],
)
def test_keepers_alone_are_refused(keeper: ChildSpec, front_uid: int | None, own_uid: int, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        check_keepers(keepers=[keeper], front_uid=front_uid, own_uid=own_uid, single_user=False)


def test_front_runs_as_whom_keepers_admit() -> None:
    check_front(front_uid=902, own_uid=902, single_user=False)
    check_front(front_uid=None, own_uid=900, single_user=True)


@pytest.mark.parametrize(("front_uid", "own_uid"), [(None, 902), (902, 0), (902, 901)])
def test_front_that_keepers_would_not_admit_is_refused(front_uid: int | None, own_uid: int) -> None:
    with pytest.raises(Misconfigured):
        check_front(front_uid=front_uid, own_uid=own_uid, single_user=False)
