from __future__ import annotations

import os
import socket

import pytest

from strongroom_service.link.peer import OperatorRule, Peer, PeerRefused, PeerRule, peer_of

KEEPER, FRONT, OTHER = 901, 902, 903


def rule(*, allowed_uid: int | None = FRONT, single_user: bool = False) -> PeerRule:
    return PeerRule(own_uid=KEEPER, allowed_uid=allowed_uid, single_user=single_user)


def test_only_the_front_is_admitted() -> None:
    rule().check(Peer(pid=1, uid=FRONT, gid=1))
    for uid in (OTHER, KEEPER, 0):
        with pytest.raises(PeerRefused):
            rule().check(Peer(pid=1, uid=uid, gid=1))


def test_own_user_id_needs_single_user_even_if_allowed_by_number() -> None:
    with pytest.raises(PeerRefused):
        rule(allowed_uid=KEEPER).check(Peer(pid=1, uid=KEEPER, gid=1))
    rule(allowed_uid=None, single_user=True).check(Peer(pid=1, uid=KEEPER, gid=1))


def test_single_user_admits_no_stranger() -> None:
    with pytest.raises(PeerRefused):
        rule(allowed_uid=None, single_user=True).check(Peer(pid=1, uid=OTHER, gid=1))


def test_operators_are_root_and_the_keepers_own_user() -> None:
    for uid in (0, KEEPER):
        OperatorRule(own_uid=KEEPER).check(Peer(pid=1, uid=uid, gid=1))
    for uid in (FRONT, OTHER):
        with pytest.raises(PeerRefused, match=f"user id {uid}, which is no operator's"):
            OperatorRule(own_uid=KEEPER).check(Peer(pid=1, uid=uid, gid=1))


def test_peer_is_what_the_kernel_says() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) == Peer(pid=os.getpid(), uid=os.getuid(), gid=os.getgid())
