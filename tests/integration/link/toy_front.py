"""A front that serves nobody: it beats, and drains when asked, until the file it is given exists."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from strongroom_service.link.heartbeat import Heartbeat, beat_forever


def drain(gate: Path) -> None:
    gate.with_suffix(".draining").touch()
    while not gate.exists():
        time.sleep(0.01)


async def main(gate: str) -> int:
    heartbeat = Heartbeat.inherited(os.environ)
    assert heartbeat is not None
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    beating = asyncio.create_task(beat_forever(heartbeat))
    await asked.wait()
    await asyncio.to_thread(drain, Path(gate))
    beating.cancel()
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1])))
