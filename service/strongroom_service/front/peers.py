"""Who is at the other end of a connection, as far as rate limits tell peers apart."""

from __future__ import annotations

import functools
import ipaddress
from typing import Final
from urllib.parse import unquote

OTHER_PEER: Final = "other"
"""All that call over something without addresses, or that gRPC describes in a way we do not know."""

_NETWORK_BITS: Final = 64


@functools.lru_cache(maxsize=4_096)  # a connection's calls all bring the same text
def peer_key(peer: str) -> str:
    """Return what is counted together for gRPC's description of a peer, such as `ipv6:%5B2001:db8::1%5D:50123`.

    The port is left out. An IPv4 address stands for itself, written as IPv6 too (a socket that listens on :: shows it
    like that). An IPv6 address stands for its /64, the least that a subscriber is given: one host may use all of it.
    """
    scheme, _, rest = peer.partition(":")
    host = unquote(rest).rpartition(":")[0].removeprefix("[").removesuffix("]")
    if scheme not in {"ipv4", "ipv6"}:
        return OTHER_PEER
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return OTHER_PEER
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> _NETWORK_BITS:016x}"


def peer_text(host: str, port: str | int) -> str:
    """Return an address as gRPC describes it, for `peer_key`."""
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
