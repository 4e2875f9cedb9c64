"""Three hosts on a switch: network namespaces on a bridge, which this makes, cuts, heals and removes. Needs root."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_BRIDGE: Final = "sr-ha"
_SUBNET: Final = "10.177.0"
_PATIENCE_SECONDS: Final = 10.0
GATEWAY: Final = f"{_SUBNET}.1"
SUBNET: Final = f"{_SUBNET}.0/24"


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `number` from 1 on."""

    number: int

    @property
    def name(self) -> str:
        """Of the host and its namespace."""
        return f"sr-ha-{self.number}"

    @property
    def address(self) -> str:
        """On the switch."""
        return f"{_SUBNET}.{10 + self.number}"

    @property
    def cable(self) -> str:
        """The switch's end of it."""
        return f"sr-ha-c{self.number}"

    def command(self, *argv: str) -> list[str]:
        """The command, run on this host."""
        return ["ip", "netns", "exec", self.name, *argv]

    def pids(self) -> list[int]:
        """Every process on it."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [int(each) for each in found.stdout.split()]

    def kill(self) -> None:
        """End every process on it at once, as a loss of power would."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while pids := self.pids():
            assert time.monotonic() < deadline, f"processes of {self.name} do not end"
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def unplug(self) -> None:
        """Cut it off from everybody."""
        _ip("link", "set", self.cable, "down")

    def plug_in(self) -> None:
        """Heal that."""
        _ip("link", "set", self.cable, "up")


HOSTS: Final = tuple(Host(number) for number in (1, 2, 3))


def cut_from_peers(host: Host) -> None:
    """Cut it off from the other hosts; who is outside still reaches it."""
    for other in _others(host):
        _ip("-n", host.name, "route", "add", "blackhole", f"{other.address}/32")
        _ip("-n", other.name, "route", "add", "blackhole", f"{host.address}/32")


def heal_peers(host: Host) -> None:
    """Heal that."""
    for other in _others(host):
        _ip("-n", host.name, "route", "del", "blackhole", f"{other.address}/32")
        _ip("-n", other.name, "route", "del", "blackhole", f"{host.address}/32")


@contextlib.contextmanager
def network() -> Iterator[Sequence[Host]]:
    """Make the hosts, in the place of those that an earlier run may have left; remove them in the end."""
    _remove()
    try:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{GATEWAY}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for host in HOSTS:
            _ip("netns", "add", host.name)
            _ip("link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("link", "set", host.cable, "master", _BRIDGE, "up")
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.name, "link", "set", "eth0", "up")
            _ip("-n", host.name, "link", "set", "lo", "up")
        yield HOSTS
    finally:
        _remove()


def _remove() -> None:
    for host in HOSTS:
        host.kill()
        for command in (("netns", "del", host.name), ("link", "del", host.cable)):
            subprocess.run(["ip", *command], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", _BRIDGE], check=False, capture_output=True)


def _others(host: Host) -> Iterator[Host]:
    return (other for other in HOSTS if other != host)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
