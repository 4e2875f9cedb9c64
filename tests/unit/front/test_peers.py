from __future__ import annotations

import pytest

from strongroom_service.front.peers import OTHER_PEER, peer_key


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("ipv4:192.0.2.7:50123", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:50123", "20010db800010002"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:50123", "20010db800010002"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:50123", "192.0.2.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50123", "fe80000000000000"),
    ],
)
def test_peer_is_its_address_without_its_port(peer: str, key: str) -> None:
    assert peer_key(peer) == key


def test_all_of_a_subscribers_ipv6_addresses_are_one_peer_and_his_neighbours_another() -> None:
    first = peer_key("ipv6:%5B2001:db8::1%5D:1")
    assert peer_key("ipv6:%5B2001:db8::ffff:ffff:ffff:ffff%5D:2") == first
    assert peer_key("ipv6:%5B2001:db8:0:1::1%5D:1") != first


@pytest.mark.parametrize(
    "peer", ["", "unix:", "unix:/run/a.sock", "unix-abstract:x", "vsock:1:2", "ipv4:", "ipv4:x:1", "ipv6:%5B%5D:1"]
)
def test_peers_without_an_address_are_one(peer: str) -> None:
    assert peer_key(peer) == OTHER_PEER
