"""Signs of life: the child writes the time into shared memory, the parent reads it. No message can queue up behind."""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import time
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn, Self

HEARTBEAT_FD: Final = "STRONGROOM_HEARTBEAT_FD"
"""Environment variable by which a child learns the number of its inherited file descriptor."""

_SIZE: Final = 8  # one u64: CLOCK_MONOTONIC in nanoseconds, the same clock in every process; 0 before the first beat
_BEAT_SECONDS: Final = 0.25


class Heartbeat:
    """One u64 in anonymous memory, shared by one child and its parent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._memory = mmap.mmap(fd, _SIZE)
        # A cast view is written by one aligned store of eight bytes: the reader never sees half a time.
        self._cell = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls, name: str) -> Self:
        """Make the memory for the child called `name`."""
        fd = os.memfd_create(f"heartbeat-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, _SIZE)
        # A hostile child could otherwise shrink it, and the parent's next read would be a bus error.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(fd)

    @classmethod
    def inherited(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the heartbeat that the parent gave this process; None when nobody watches it.

        Raises:
            Misconfigured: the environment names a descriptor that is none of ours.
        """
        number = environment.get(HEARTBEAT_FD)
        if number is None:
            return None
        try:
            fd = int(number)
            if os.fstat(fd).st_size != _SIZE:
                raise ValueError("wrong size")
            return cls(fd)
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{HEARTBEAT_FD} does not name a heartbeat: {error}") from error

    @property
    def fd(self) -> int:
        """The descriptor that a child must inherit."""
        return self._fd

    def beat(self) -> None:
        """Say that this process is alive."""
        self._cell[0] = time.monotonic_ns()

    def last_beat_ns(self) -> int:
        """Return when the child last gave a sign of life (CLOCK_MONOTONIC); 0 if it has not yet."""
        return self._cell[0]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._memory.closed

    def close(self) -> None:
        """Give the memory back; the other side keeps its own view."""
        self._cell.release()
        self._memory.close()
        os.close(self._fd)


async def beat_forever(heartbeat: Heartbeat) -> NoReturn:
    """Beat as long as this event loop turns: what an asyncio process runs as a task."""
    while True:
        heartbeat.beat()
        await asyncio.sleep(_BEAT_SECONDS)
