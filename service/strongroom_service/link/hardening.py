"""Process attributes that keep secrets in, and orphans out (prctl(2), core(5), credentials(7))."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

from strongroom_service.domain.errors import Misconfigured

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

_libc = ctypes.CDLL(None, use_errno=True)


def harden_process() -> None:
    """Forbid core dumps, tracing by the same user, gaining privileges through exec, and files that others can read.

    To be called by each process itself, first thing: exec(2) and changes of user id make a process dumpable again.

    Raises:
        Misconfigured: the kernel refused.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def is_dumpable() -> bool:
    """Return whether this process can leave a core dump and be traced by its own user."""
    return _prctl(_PR_GET_DUMPABLE, 0) != 0


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that made it ends.

    To be called between fork and exec, after any change of user id (which would clear it again).

    Raises:
        Misconfigured: the kernel refused.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)  # the parent died before the line above, so no signal will ever come


def forbid_new_privileges() -> None:
    """Make set-user-ID programs run with this process's own privileges; kept by exec.

    Raises:
        Misconfigured: the kernel refused.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> int:
    result: int = _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if result < 0:
        raise Misconfigured(f"prctl option {option} failed: {os.strerror(ctypes.get_errno())}")
    return result
