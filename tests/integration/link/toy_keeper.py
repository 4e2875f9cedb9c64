"""A keeper without a token: the real loop, with a handler that does what the nonce of describe_service says."""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

from strongroom.keeper.v1 import frames_pb2 as frames
from strongroom.v1 import resources_pb2 as resources
from strongroom_service.keeper.listener import listen
from strongroom_service.keeper.loop import Ending, KeeperLoop
from strongroom_service.link.frames import MAX_FRAME_BYTES
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.heartbeat import Heartbeat
from strongroom_service.link.peer import PeerRule
from tests.fakes.log import StdoutLog

EX_TEMPFAIL = 75


class ToyHandler:
    def __init__(self, *, folder: Path, name: str, id_key: bytes) -> None:
        self._folder = folder
        self._name = name
        self._id_key = id_key
        self._opened = 0
        self.spent = False

    def handle(self, call: frames.KeeperCall) -> frames.KeeperReply:
        match call.WhichOneof("call"):
            case "open_vault":
                return self._open(call.open_vault)
            case "probe":
                return self._probe()
            case "describe_service":
                return self._do(call.describe_service.nonce)
            case "describe_record":
                return self._do(call.describe_record.nonce)
            case other:
                raise NotImplementedError(other)

    def _open(self, call: frames.OpenVaultCall) -> frames.KeeperReply:
        self._opened += 1
        if call.sealed.startswith(b"fault "):
            return frames.KeeperReply(fault=frames.FaultReply(kind=call.sealed[6:].decode(), detail="as asked"))
        successor = b"renewed" if call.sealed == b"due" else b""
        return frames.KeeperReply(
            open_vault=frames.OpenVaultReply(id_key=self._id_key, successor_sealed=successor),
        )

    def _probe(self) -> frames.KeeperReply:
        if (self._folder / f"{self._name}.unwell").exists():
            return frames.KeeperReply(fault=frames.FaultReply(kind="TokenFault", detail="unwell"))
        return frames.KeeperReply(probe=frames.ProbeReply())

    def _do(self, nonce: bytes) -> frames.KeeperReply:
        reply = str(os.getpid()).encode()
        match nonce.decode():
            case "boom":
                raise ValueError("the secret is 12345")
            case "spent":
                self.spent = True
            case "opened":
                reply = str(self._opened).encode()
            case "hang":
                (self._folder / f"{self._name}.hanging").touch()
                signal.pause()
            case "gate":
                (self._folder / f"{self._name}.waiting").touch()
                while not (self._folder / f"{self._name}.go").exists():
                    time.sleep(0.01)
            case "big":
                reply = bytes(200 * 1024)
            case "huge":
                reply = bytes(MAX_FRAME_BYTES)
        receipt = resources.Receipt(version=1)
        return frames.KeeperReply(signed=frames.SignedReply(reply=reply, receipt=receipt))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("--mode", type=lambda text: int(text, 8), default=0o600)
    parser.add_argument("--allowed-uid", type=int)
    parser.add_argument("--separate-users", action="store_true")
    parser.add_argument("--id-key", default="k" * 32)
    options = parser.parse_args()
    harden_process()
    heartbeat = Heartbeat.inherited(os.environ)
    rule = PeerRule(own_uid=os.getuid(), allowed_uid=options.allowed_uid, single_user=not options.separate_users)
    loop = KeeperLoop(
        listener=listen(options.socket, mode=options.mode),
        admit=rule.admit,
        handler=ToyHandler(folder=options.socket.parent, name=options.socket.stem, id_key=options.id_key.encode()),
        reload=lambda: StdoutLog().info("reloaded"),
        beat=heartbeat.beat if heartbeat is not None else lambda: None,
        log=StdoutLog(),
        most_blocked_seconds=0.5,
    )
    return 0 if loop.run() is Ending.ASKED else EX_TEMPFAIL


if __name__ == "__main__":
    raise SystemExit(main())
