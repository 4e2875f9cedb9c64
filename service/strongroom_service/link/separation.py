"""Who may run as whom: the front must not be able to read a keeper's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.link.child import ChildSpec


def check_separation(*, keepers: Sequence[ChildSpec], front: ChildSpec, own_uid: int, single_user: bool) -> None:
    """Raise unless front and keepers end up under different user ids, neither of them root's.

    With `single_user` (development) all may share one.

    Raises:
        Misconfigured: they do not, or this process (`own_uid`) cannot give them the ids they are to have.
    """
    front_uid = own_uid if front.uid is None else front.uid
    for child in (front, *keepers):
        uid = own_uid if child.uid is None else child.uid
        if own_uid not in {0, uid}:
            raise Misconfigured(f"{child.name} is to run under user id {uid}: start as root, or set single_user")
        if own_uid == 0 and child.uid is not None and child.gid is None:
            raise Misconfigured(f"{child.name} would keep root's group: give it a group id too")
        if single_user:
            continue
        if uid == 0:
            raise Misconfigured(f"{child.name} would run as root: give it a user id of its own, or set single_user")
        if child is not front and uid == front_uid:
            raise Misconfigured(
                f"{child.name} and {front.name} would share user id {uid}: start as root with two user ids, "
                "or set single_user"
            )
