"""Who may run as whom: the front must not be able to read a keeper's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.link.child import ChildSpec

_NOBODY_ADMITTED = "the keepers would admit nobody: give user ids in [users], or set single_user"


def check_separation(*, keepers: Sequence[ChildSpec], front: ChildSpec, own_uid: int, single_user: bool) -> None:
    """Raise unless front and keepers end up under different user ids, neither of them root's.

    With `single_user` (development) all may share one.

    Raises:
        Misconfigured: they do not, or this process (`own_uid`) cannot give them the ids they are to have.
    """
    front_uid = own_uid if front.uid is None else front.uid
    for child in (front, *keepers):
        _check_child(child, own_uid=own_uid, single_user=single_user)
        uid = own_uid if child.uid is None else child.uid
        if child is not front and uid == front_uid and not single_user:
            raise Misconfigured(
                f"{child.name} and {front.name} would share user id {uid}: start as root with two user ids in [users], "
                "or set single_user"
            )


def check_keepers(*, keepers: Sequence[ChildSpec], front_uid: int | None, own_uid: int, single_user: bool) -> None:
    """As `check_separation`, where the front is started elsewhere and `front_uid` is whom the keepers will admit.

    Raises:
        Misconfigured: they would run as root, under the front's user id, or for nobody.
    """
    for child in keepers:
        _check_child(child, own_uid=own_uid, single_user=single_user)
    if front_uid is None and not single_user:
        raise Misconfigured(_NOBODY_ADMITTED)


def check_front(*, front_uid: int | None, own_uid: int, single_user: bool) -> None:
    """Raise unless the front, which is this process, is whom keepers admit.

    Raises:
        Misconfigured: it is root, or another user; they would turn it away without a word.
    """
    if single_user:
        return
    if front_uid is None:
        raise Misconfigured(_NOBODY_ADMITTED)
    if own_uid != front_uid:
        raise Misconfigured(f"the front is to run under user id {front_uid}, not {own_uid}: start it as that user")


def _check_child(child: ChildSpec, *, own_uid: int, single_user: bool) -> None:
    uid = own_uid if child.uid is None else child.uid
    if own_uid not in {0, uid}:
        raise Misconfigured(
            f"{child.name} is to run under user id {uid}: start as root, or remove [users] and set single_user"
        )
    if own_uid == 0 and child.uid is not None and child.gid is None:
        raise Misconfigured(f"{child.name} would keep root's group: give it a group id too")
    if uid == 0 and not single_user:
        raise Misconfigured(f"{child.name} would run as root: give it a user id in [users], or set single_user")
