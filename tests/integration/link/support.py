"""Toy keepers as processes, and waiting for what must happen."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.keeper.v1.frames_pb2 import DescribeServiceCall, KeeperCall, KeeperReply, OpenVaultCall
from strongroom_service.link.frames import FrameReader, encode_frame

ROOT = Path(__file__).resolve().parents[3]
# What decides which code a child runs, and whether its coverage counts; nothing else of ours.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "COVERAGE"))}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
PATIENCE_SECONDS = 30.0


def keeper_argv(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.integration.link.toy_keeper", str(path), *options]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


async def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.01)


class ToyKeeper:
    """A running toy keeper that listens."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        self.process = subprocess.Popen(
            keeper_argv(path, *options), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        until(lambda: self.process.poll() is not None or listens(path), "keeper listens")

    @property
    def pid(self) -> int:
        return self.process.pid

    def file(self, suffix: str) -> Path:
        return self.path.with_suffix(f".{suffix}")

    def end(self) -> str:
        """End it if it still runs, gently so that its coverage counts; return what it has logged."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            output, _ = self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, _ = self.process.communicate()
        return output


@contextmanager
def toy_keeper(path: Path, *options: str) -> Iterator[ToyKeeper]:
    keeper = ToyKeeper(path, *options)
    try:
        yield keeper
    finally:
        keeper.end()


class RawClient:
    """A blocking client that can send anything."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(path))
        self._reader = FrameReader()
        self._replies: list[KeeperReply] = []

    def send(self, call: KeeperCall) -> None:
        self.socket.sendall(encode_frame(call.SerializeToString()))

    def receive(self) -> KeeperReply | None:
        """Return the next reply; None when the keeper closed the connection."""
        while not self._replies:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._replies += map(KeeperReply.FromString, self._reader.feed(data))
        return self._replies.pop(0)

    def ask(self, call: KeeperCall) -> KeeperReply | None:
        self.send(call)
        return self.receive()

    def close(self) -> None:
        self.socket.close()


@contextmanager
def opened_client(path: Path) -> Iterator[RawClient]:
    client = RawClient(path)
    try:
        reply = client.ask(KeeperCall(call_id=1, open_vault=OpenVaultCall(version=1, sealed=b"vault")))
        assert reply is not None
        assert reply.HasField("open_vault")
        yield client
    finally:
        client.close()


def do(what: str, call_id: int = 7) -> KeeperCall:
    return KeeperCall(call_id=call_id, describe_service=DescribeServiceCall(nonce=what.encode()))


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        return visitor.connect_ex(str(path)) == 0
