"""Who connects to a keeper: the kernel's word (SO_PEERCRED), not the peer's."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

from strongroom_service.domain.errors import StrongroomError

_UCRED: Final = struct.Struct("3i")


class PeerRefused(StrongroomError):
    """The peer of a connection runs under a user id that may not talk to the keeper."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected, as it was when it connected (unix(7))."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRule:
    """Which user ids may connect.

    Attributes:
        own_uid: the keeper's own. A peer with the same id could read the keeper's memory, so it is admitted only with
            `single_user`.
        allowed_uid: the front's; None when only `single_user` lets anybody in.
        single_user: front and keeper share one user id: development only.
    """

    own_uid: int
    allowed_uid: int | None
    single_user: bool

    def check(self, peer: Peer) -> None:
        """Raise unless `peer` may talk to the keeper.

        Raises:
            PeerRefused: it may not; the message names its user id and process id.
        """
        if peer.uid == self.own_uid:
            if not self.single_user:
                raise PeerRefused(f"process {peer.pid} has the keeper's own user id {peer.uid}, without single_user")
        elif peer.uid != self.allowed_uid:
            raise PeerRefused(f"process {peer.pid} has user id {peer.uid}")

    def admit(self, connection: socket.socket) -> None:
        """Raise unless the peer of `connection` (AF_UNIX) may talk to the keeper.

        Raises:
            PeerRefused: it may not.
        """
        self.check(peer_of(connection))


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRule:
    """Operators' commands may connect as root, or as the keeper's own user: both could read its memory anyway.

    With `single_user` the front has that id too: development only.
    """

    own_uid: int

    def admit(self, connection: socket.socket) -> None:
        """Raise unless the peer of `connection` (AF_UNIX) is one of them. Raises as `check`."""
        self.check(peer_of(connection))

    def check(self, peer: Peer) -> None:
        """Raise unless `peer` is one of them.

        Raises:
            PeerRefused: it is not; the message names its user id and process id.
        """
        if peer.uid not in {0, self.own_uid}:
            raise PeerRefused(f"process {peer.pid} has user id {peer.uid}, which is no operator's")


def peer_of(connection: socket.socket) -> Peer:
    """Return the credentials of the process at the other end of a Unix socket."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
