"""Keeping a process's memory out of swap and hibernation images (mlockall(2)): what it held is gone with it."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from strongroom_service.domain.errors import Misconfigured

_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
# Lock each page when it is first touched: most of what Python and its libraries map is never used.
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14

_libc = ctypes.CDLL(None, use_errno=True)


Wish = Literal["where_possible", "required", "no"]
"""What a configuration can say."""


def lock_as_wished(wish: Wish, *, lock: Callable[[], str]) -> str:
    """Lock memory by `lock`, unless not wished; return "" or why it is not locked.

    Raises:
        Misconfigured: it is required, and not possible here.
    """
    if wish == "no":
        return "the configuration says no"
    why_not = lock()
    if why_not and wish == "required":
        raise Misconfigured(f"keepers.lock_memory is required, but: {why_not}")
    return why_not


def lock_memory() -> str:
    """Lock all memory of this process, also what it takes later; return "" or why that is not possible here.

    Under a finite RLIMIT_MEMLOCK nothing is tried, unless the process may ignore it: all that is mapped counts against
    the limit, so that the lock would fail now, or make a later allocation fail in the middle of a call.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _may_ignore_the_limit():
        return f"RLIMIT_MEMLOCK is {limit} bytes: it must be unlimited, or CAP_IPC_LOCK given"
    if _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        return f"mlockall failed: {os.strerror(ctypes.get_errno())}"
    return ""


def lift_limit() -> None:
    """Let the children of this process lock their memory, if it may say so: that is, if root started it."""
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return  # whether it matters, a keeper finds out and tells


def _may_ignore_the_limit() -> bool:
    lines = Path("/proc/self/status").read_bytes().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith(b"CapEff:"))
    return bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)
